/** Numbers for people: two significant digits where they are read in passing, three where they are cited. */

const MINUS = "−";
const NONE = "—"; // not a number

/** A weight as "3.1 %", "0.042 %", "12 %", "99.6 %", "100 %"; below 0.001 % only that. */
export function percent(weight: number): string {
  const value = 100 * weight;
  const size = Math.abs(value);
  if (!Number.isFinite(value)) return NONE;
  if (size === 0) return "0 %";
  if (size < 0.001) return value < 0 ? `>${MINUS}0.001 %` : "<0.001 %";
  return `${significant(value, size >= 89.95 ? 3 : 2)} %`;
}

/** A difference of weights: as `percent`, with its sign, "+3.1 %". */
export function signedPercent(difference: number): string {
  const text = percent(difference);
  return difference > 0 && /^\d/.test(text) ? `+${text}` : text;
}

/** A weight to three significant digits, none of them an idle zero: "4.31 %", "10 %". */
export function exactPercent(weight: number): string {
  return Number.isFinite(weight) ? `${concise(100 * weight)} %` : NONE;
}

/** A weight as a multiple of uniform attention: "6.1", "0.32", "120". */
export function timesUniform(weight: number, uniform: number): string {
  const times = weight / uniform;
  if (!Number.isFinite(times)) return NONE;
  return times > 0 && times < 0.001 ? "<0.001" : significant(times, 2);
}

/** A distance as "116 px", "8.4 px". */
export function pixels(value: number): string {
  if (!Number.isFinite(value)) return NONE;
  return `${Math.abs(value) < 10 ? significant(value, 2) : whole(value)} px`;
}

function whole(value: number): string {
  return value.toFixed(0).replace("-", MINUS);
}

/** To three significant digits, none of them an idle zero: "4.31", "10", "0.3". */
export function concise(value: number): string {
  const text = significant(value, 3);
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

/** To so many significant digits, never with an exponent. */
function significant(value: number, digits: number): string {
  if (value === 0) return "0";
  const rounded = value.toExponential(digits - 1);
  const exponent = Number(rounded.slice(rounded.indexOf("e") + 1));
  const decimals = Math.min(100, Math.max(0, digits - 1 - exponent));
  return Number(rounded).toFixed(decimals).replace("-", MINUS);
}
