/** Arrays out of the payload's blocks: little-endian, as all browsers' typed arrays are. */
import type { Numbers } from "../payload";

const BYTES = { int16: 2, float16: 2, float32: 4 } as const;

/** The numbers in row-major order, `reference.shape` flattened; a view of `bytes` where they are aligned float32. */
export function readNumbers(reference: Numbers, bytes: ArrayBuffer): Float32Array {
  const count = countOf(reference.shape);
  checkBounds(reference, count, bytes.byteLength);
  return READERS[reference.dtype](bytes, reference.offset, count);
}

/** How many numbers a shape holds. */
export function countOf(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}

function checkBounds({ block, offset, dtype, shape }: Numbers, count: number, available: number): void {
  const width = BYTES[dtype];
  if (width === undefined) {
    throw new Error(`block ${block}: found numbers of type "${dtype}", expected int16, float16 or float32`);
  }
  if (offset < 0 || offset + count * width > available) {
    throw new Error(
      `block ${block}: (${shape.join(", ")}) ${dtype} from byte ${offset} need ${offset + count * width} bytes, ` +
        `found ${available}; the page is cut short, make it again`,
    );
  }
}

const READERS = { int16: readIntegers, float16: readHalves, float32: readSingles } as const;

function readIntegers(bytes: ArrayBuffer, offset: number, count: number): Float32Array {
  const aligned = offset % 2 === 0;
  const integers = aligned
    ? new Int16Array(bytes, offset, count)
    : new Int16Array(bytes.slice(offset, offset + 2 * count));
  return Float32Array.from(integers);
}

function readSingles(bytes: ArrayBuffer, offset: number, count: number): Float32Array {
  if (offset % 4 === 0) return new Float32Array(bytes, offset, count);
  return new Float32Array(bytes.slice(offset, offset + 4 * count));
}

function readHalves(bytes: ArrayBuffer, offset: number, count: number): Float32Array {
  const aligned = offset % 2 === 0;
  const codes = aligned
    ? new Uint16Array(bytes, offset, count)
    : new Uint16Array(bytes.slice(offset, offset + 2 * count));
  const table = halves();
  const out = new Float32Array(count);
  for (let i = 0; i < count; i++) out[i] = table[codes[i]!]!;
  return out;
}

let known: Float32Array | null = null;

/** The value of every float16 code; IEEE 754, binary16: 1 bit of sign, 5 of exponent, 10 of fraction. */
function halves(): Float32Array {
  known ??= Float32Array.from({ length: 65_536 }, (_, code) => half(code));
  return known;
}

function half(code: number): number {
  const sign = code & 0x8000 ? -1 : 1;
  const exponent = (code >> 10) & 0x1f;
  const fraction = code & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
