/** What the page keeps in step with the world outside it: its numbers, its address, its notices. */
import { useEffect, useRef, useState } from "preact/hooks";
import { Gallery } from "../engine/gallery";
import type { BlockSource } from "../numbers/blocks";
import type { Payload } from "../payload";
import { readHash, writeHash } from "../state/hash";
import type { State } from "../state/state";

const NOTICE_TIME = 6000; // ms
const SETTLED = 150; // ms after which a state is written into the address

/** Where the state may live outside the page: the address's hash, on a page of its own; nowhere, in a notebook. */
export interface Address {
  read(): string;
  write(hash: string): void;
  link(hash: string): string;
}

interface Opening {
  gallery: Gallery | null; // once its small numbers are there
  revision: number; // grows with every decoded layer
  failure: string;
}

export function useGallery(payload: Payload, source: BlockSource): Opening {
  const [gallery, setGallery] = useState<Gallery | null>(null);
  const [revision, setRevision] = useState(0);
  const [failure, setFailure] = useState("");
  useEffect(() => {
    const made = new Gallery(payload, source, () => setRevision((now) => now + 1));
    made.open().then(
      () => setGallery(made),
      (error: unknown) => setFailure(error instanceof Error ? error.message : String(error)),
    );
  }, [payload, source]);
  return { gallery, revision, failure };
}

/** Keep the hash and the state the same, whichever changes. */
export function useAddress(
  address: Address | null,
  state: State,
  payload: Payload,
  setState: (next: (state: State) => State) => void,
): void {
  const known = useRef(address?.read()); // a hash that somebody else wrote since is theirs, and is read below
  const writing = useRef(0);
  useEffect(() => {
    writing.current = window.setTimeout(() => {
      if (!address || address.read() !== known.current) return;
      address.write(writeHash(state, payload));
      known.current = address.read();
    }, SETTLED);
    return () => clearTimeout(writing.current);
  }, [address, state, payload]);
  useEffect(() => {
    if (!address) return;
    const follow = (): void => {
      clearTimeout(writing.current); // effects end a frame later, and it would write what was shown before
      known.current = address.read();
      setState((now) =>
        address.read() === writeHash(now, payload) ? now : readHash(address.read(), payload),
      );
    };
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, [address, payload, setState]);
}

/** A word to the reader, which goes after a while. */
export function useNotice(): [string, (words: string) => void] {
  const [notice, setNotice] = useState("");
  useEffect(() => {
    const timer = setTimeout(() => setNotice(""), NOTICE_TIME);
    return () => clearTimeout(timer);
  }, [notice]);
  return [notice, setNotice];
}
