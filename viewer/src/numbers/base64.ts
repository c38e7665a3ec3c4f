/** Base64 to bytes, by the browser's own decoder where it has one. */

type Decoder = { fromBase64?: (text: string) => Uint8Array<ArrayBuffer> };

/** The bytes of a base64 text; a SyntaxError or DOMException where it is none. */
export function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  const native = (Uint8Array as Decoder).fromBase64;
  return native ? native.call(Uint8Array, text) : decodeByAtob(text);
}

function decodeByAtob(text: string): Uint8Array<ArrayBuffer> {
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let i = 0; i < characters.length; i++) bytes[i] = characters.charCodeAt(i);
  return bytes;
}
