// @vitest-environment jsdom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { render as preactRender } from "preact";
import widget, { Kernel, type WidgetModel } from "../src/widget";

type Hear = (message: never, buffers: DataView[]) => void;

/** A model as anywidget hands over, whose messages the test answers. */
function fakeModel() {
  const sent: { want: string; index: number; view: string }[] = [];
  const listeners = new Set<Hear>();
  const model: WidgetModel = {
    get: () => "data:image/png;base64,AAAA",
    send: (content) => void sent.push(content),
    on: (_event, callback) => void listeners.add(callback as Hear),
    off: (_event, callback) => void listeners.delete(callback as Hear),
  };
  const answer = (message: object, buffers: DataView[] = []): void => {
    for (const hear of listeners) hear(message as never, buffers);
  };
  return { model, sent, listeners, answer };
}

const settle = (): Promise<void> => vi.advanceTimersByTimeAsync(0).then(() => undefined);

describe("the notebook's widget", () => {
  let el: HTMLElement;

  beforeEach(() => {
    vi.useFakeTimers();
    el = document.createElement("div");
  });
  afterEach(() => {
    preactRender(null, el);
    vi.useRealTimers();
  });

  it("asks for the header and shows the picture meanwhile", () => {
    const { model, sent } = fakeModel();
    widget.render({ model, el });
    expect(sent.map(({ want }) => want)).toEqual(["header"]);
    expect(el.querySelector("img")?.getAttribute("src")).toBe("data:image/png;base64,AAAA");
    expect(el.dataset["lmSuppressShortcuts"]).toBe("true");
  });

  it("says what to do where no kernel answers", () => {
    const { model } = fakeModel();
    widget.render({ model, el });
    expect(el.textContent).toBe("Opening …");
    vi.advanceTimersByTime(5001);
    expect(el.textContent).toContain("run this cell again");
    expect(el.querySelector("img")).not.toBeNull();
  });

  it("does not take another view's answer for its own", async () => {
    const { model, sent, answer } = fakeModel();
    widget.render({ model, el });
    answer({ view: "another", index: 0, header: '{"format":"vitscope-page","version":1}' });
    await settle();
    expect(el.textContent).toBe("Opening …");
    answer({ view: sent[0]!.view, index: 0, header: '{"format":"vitscope-page","version":99}' });
    await settle();
    expect(el.textContent).toContain("version 99; expected");
  });

  it("asks for block 0 once it has a header, and stops listening when it goes", async () => {
    const { model, sent, listeners, answer } = fakeModel();
    const close = widget.render({ model, el });
    const header = {
      format: "vitscope-page",
      version: 1,
      compare: false,
      looks: [{ layers: [], images: [{}] }],
    };
    answer({ view: sent[0]!.view, index: 0, header: JSON.stringify(header) });
    await settle();
    await vi.advanceTimersByTimeAsync(100);
    expect(sent.slice(1)).toEqual([{ want: "block", index: 0, view: sent[0]!.view }]);
    expect(el.querySelector("img")).toBeNull();
    close();
    expect(listeners.size).toBe(0);
  });
});

describe("the kernel", () => {
  it("answers everyone who asked for a block, with bytes of their own", async () => {
    const { model, sent, answer } = fakeModel();
    const kernel = new Kernel(model);
    const [one, other] = [kernel.bytes(3), kernel.bytes(3)];
    const message = new Uint8Array([9, 9, 9, 1, 2, 3, 4, 9]); // the block lies within a longer message
    answer({ view: sent[0]!.view, index: 3 }, [new DataView(message.buffer, 3, 4)]);
    expect([...new Uint8Array(await one)]).toEqual([1, 2, 3, 4]);
    expect([...new Uint8Array(await other)]).toEqual([1, 2, 3, 4]);
  });

  it("says which block came without bytes", async () => {
    const { model, sent, answer } = fakeModel();
    const asked = new Kernel(model).bytes(5);
    answer({ view: sent[0]!.view, index: 5 });
    await expect(asked).rejects.toThrow("no bytes for block 5");
  });
});
