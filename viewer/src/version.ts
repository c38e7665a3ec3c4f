/** The one version of the payload that this code reads. */
import type { Payload } from "./payload";

const VERSION = 1;

/** The payload, if it is one that this code can read; an error that says which it is otherwise. */
export function checkVersion(value: unknown): Payload {
  const { format, version } = (value ?? {}) as Partial<Payload>;
  if (format !== "vitscope-page" || version !== VERSION) {
    throw new Error(
      `found a payload of format “${String(format)}”, version ${String(version)}; expected “vitscope-page”, ` +
        `version ${VERSION}: write the page again with the vitscope that is installed`,
    );
  }
  return value as Payload;
}
