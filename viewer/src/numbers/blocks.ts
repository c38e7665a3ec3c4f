/** Where the payload's binary blocks come from: here, the page itself; in a notebook, its kernel. */
import { decodeBase64 } from "./base64";

/** Blocks of bytes by number, as `Numbers.block` counts them. */
export interface BlockSource {
  bytes(index: number): Promise<ArrayBuffer>;
}

/**
 * The blocks that stand in a document as base64, in `<script type="text/plain" id="vitscope-block-N">`.
 *
 * The text stays where it is, so that a page saved from the browser is whole; the bytes are held only
 * as long as someone reads them.
 */
export function embeddedBlocks(root: Document): BlockSource {
  const held = new Map<number, WeakRef<ArrayBuffer>>();
  return {
    async bytes(index) {
      const known = held.get(index)?.deref();
      if (known) return known;
      const bytes = decodeBlock(root, index);
      held.set(index, new WeakRef(bytes));
      return bytes;
    },
  };
}

function decodeBlock(root: Document, index: number): ArrayBuffer {
  const id = `vitscope-block-${index}`;
  const element = root.getElementById(id);
  if (!element)
    throw new Error(`block ${index} is not in this page: no element "${id}"; make the page again`);
  try {
    return decodeBase64(element.textContent ?? "").buffer;
  } catch (cause) {
    throw new Error(`block ${index} of this page is damaged: it is not base64; make the page again`, {
      cause,
    });
  }
}
