/** The page in a notebook: the payload comes from the running kernel, so that a saved notebook stays small. */
import { render } from "preact";
import { App } from "./components/App";
import type { BlockSource } from "./numbers/blocks";
import type { Payload } from "./payload";
import { checkVersion } from "./version";
import "./styles/page.css";

/** What anywidget hands over; see https://anywidget.dev/en/afm. */
export interface WidgetModel {
  get(name: "_picture"): string;
  send(content: Request): void;
  on(event: "msg:custom", callback: (message: Answer, buffers: DataView[]) => void): void;
  off(event: "msg:custom", callback: (message: Answer, buffers: DataView[]) => void): void;
}

interface Request {
  want: "header" | "block";
  index: number;
  view: string; // several views of one widget hear every answer
}

interface Answer {
  view: string;
  index: number;
  header?: string;
}

const PATIENCE = 5000; // ms until the reader is told that no kernel answers

export default {
  render({ model, el }: { model: WidgetModel; el: HTMLElement }): () => void {
    el.classList.add("vitscope", "in-notebook");
    el.dataset["lmSuppressShortcuts"] = "true"; // JupyterLab's own keys stay out
    const waiting = showPicture(el, model.get("_picture"));
    const kernel = new Kernel(model);
    const late = setTimeout(() => {
      waiting.textContent = "The interactive view needs the kernel that made it: run this cell again.";
    }, PATIENCE);
    void kernel
      .header()
      .then((payload) => {
        clearTimeout(late);
        el.replaceChildren();
        render(<App payload={payload} source={kernel} address={null} />, el);
      })
      .catch((error: unknown) => {
        waiting.textContent = `vitscope cannot show this: ${error instanceof Error ? error.message : String(error)}`;
      });
    return () => {
      clearTimeout(late);
      kernel.close();
      render(null, el);
    };
  },
};

/** Asks the kernel for the header and for blocks, and pairs its answers with what was asked. */
export class Kernel implements BlockSource {
  private readonly view = String(Math.random());
  private readonly asked = new Map<string, ((answer: Answer, buffers: DataView[]) => void)[]>();

  constructor(private readonly model: WidgetModel) {
    model.on("msg:custom", this.hear);
  }

  async header(): Promise<Payload> {
    const [answer] = await this.ask("header", 0);
    return checkVersion(JSON.parse(answer.header ?? "{}"));
  }

  async bytes(index: number): Promise<ArrayBuffer> {
    const [, buffers] = await this.ask("block", index);
    const bytes = buffers[0];
    if (!bytes) throw new Error(`the kernel sent no bytes for block ${index}; run the cell again`);
    // A copy: blocks are read as aligned arrays, and the message may hold them anywhere.
    return new Uint8Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength).slice().buffer;
  }

  close(): void {
    this.model.off("msg:custom", this.hear);
  }

  private ask(want: Request["want"], index: number): Promise<[Answer, DataView[]]> {
    return new Promise((resolve) => {
      const key = keyOf(want === "header", index);
      this.asked.set(key, [...(this.asked.get(key) ?? []), (answer, buffers) => resolve([answer, buffers])]);
      this.model.send({ want, index, view: this.view });
    });
  }

  private readonly hear = (answer: Answer, buffers: DataView[]): void => {
    if (answer.view !== this.view) return;
    const key = keyOf(answer.header !== undefined, answer.index);
    const waiting = this.asked.get(key) ?? [];
    this.asked.delete(key);
    for (const hear of waiting) hear(answer, buffers);
  };
}

function keyOf(header: boolean, index: number): string {
  return header ? "header" : `block ${index}`;
}

function showPicture(el: HTMLElement, address: string): HTMLElement {
  const words = document.createElement("p");
  words.textContent = "Opening …";
  el.replaceChildren(words);
  if (address) {
    const picture = document.createElement("img");
    picture.src = address;
    picture.alt = "A picture of what is shown here";
    picture.style.maxWidth = "100%";
    el.prepend(picture);
  }
  return words;
}
