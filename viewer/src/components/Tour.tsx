/** Six steps for a first visit or a class: each points at a part of the page and says one sentence. */
import { useEffect, useRef } from "preact/hooks";
import type { State } from "../state/state";

interface Step {
  target: string; // data-tour
  text: string;
  change?: Partial<State>;
}

export const STEPS: readonly Step[] = [
  {
    target: "picture",
    text: "A Vision Transformer cuts the picture into patches; point at one, and the colours show where it looks.",
    change: { method: "row", head: "mean", direction: "from", locked: [], isolated: false },
  },
  {
    target: "queries",
    text: "Prefix tokens such as CLS look too, though they stand nowhere in the picture; the model’s answer is often read from one.",
  },
  {
    target: "heads",
    text: "Each layer looks with several heads at once, and each head in its own way; choose one by its thumbnail.",
    change: { sort: "none" },
  },
  {
    target: "plots",
    text: "Mean attention distance says how far each head looks: low layers mix near and far, high layers mostly far.",
  },
  {
    target: "scale",
    text: "Colours mean what the bar says; “times uniform” lets you compare heads, as 1× is looking everywhere alike.",
    change: { scale: "uniform" },
  },
  {
    target: "method",
    text: "Rollout multiplies attention through all layers, to show what the answer could draw on; attention alone is not yet an explanation.",
    change: { scale: "linear" },
  },
];

export function Tour(props: {
  step: number;
  root: HTMLElement | null;
  go: (step: number | null) => void;
  update: (change: Partial<State>) => void;
}) {
  const { step, root, go, update } = props;
  const card = useRef<HTMLDivElement>(null);
  const current = STEPS[step];
  useEffect(() => {
    if (!current) return;
    if (current.change) update(current.change);
    const target = root?.querySelector(`[data-tour="${current.target}"]`);
    target?.classList.add("toured");
    target?.scrollIntoView({ block: "nearest", behavior: calm() ? "auto" : "smooth" });
    card.current?.focus({ preventScroll: true });
    return () => target?.classList.remove("toured");
  }, [step, root]);
  if (!current) return null;
  return (
    <div
      ref={card}
      class={`tour ${current.target === "picture" ? "" : "left"}`}
      role="dialog"
      aria-label="Guided tour"
      tabIndex={-1}
    >
      <p class="faint">
        Step {step + 1} of {STEPS.length}
      </p>
      <p>{current.text}</p>
      <div class="tour-buttons">
        <button type="button" disabled={step === 0} onClick={() => go(step - 1)}>
          Back
        </button>
        {step + 1 < STEPS.length && (
          <button type="button" class="primary" onClick={() => go(step + 1)}>
            Next
          </button>
        )}
        <button type="button" class={step + 1 < STEPS.length ? "" : "primary"} onClick={() => go(null)}>
          {step + 1 < STEPS.length ? "Close" : "Done"}
        </button>
      </div>
    </div>
  );
}

function calm(): boolean {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}
