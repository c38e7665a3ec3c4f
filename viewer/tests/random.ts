/** Random numbers that are the same in every run. */

export interface Random {
  /** 0 to 1. */
  uniform(): number;
  /** 0 to `count` − 1. */
  below(count: number): number;
  /** Mean 0, deviation 1. */
  normal(): number;
  normals(count: number, deviation?: number): number[];
}

export function seeded(seed: number): Random {
  let state = seed >>> 0;
  const uniform = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0; // Numerical Recipes, 3rd edition, section 7.1
    return state / 2 ** 32;
  };
  for (let i = 0; i < 8; i++) uniform(); // neighbouring seeds begin alike
  const below = (count: number) => Math.floor(uniform() * count);
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  const normals = (count: number, deviation = 1) => Array.from({ length: count }, () => deviation * normal());
  return { uniform, below, normal, normals };
}
