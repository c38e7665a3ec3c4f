/** Round numbers for axes. */

/** 0 and round steps up to the last at or above `top`, about `count` of them: 0, 50, 100, 150 for 116. */
export function niceTicks(top: number, count: number): number[] {
  if (!(top > 0) || !Number.isFinite(top)) return [0];
  const rough = top / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough) ?? 10);
  const steps = Math.ceil(top / step - 1e-9);
  return Array.from({ length: steps + 1 }, (_, index) => Number((index * step).toPrecision(12)));
}
