/** Six steps for a first visit or a class: each points at a part of the page and says one sentence. */
import { useLayoutEffect, useRef } from "preact/hooks";
import type { State } from "../state/state";

interface Step {
  target: string; // data-tour
  corner: "left" | "right"; // of the window, away from the target
  text: string;
  change?: Partial<State>;
}

export const STEPS: readonly Step[] = [
  {
    target: "picture",
    corner: "right",
    text: "A Vision Transformer cuts the picture into patches; point at one, and the colours show where it looks.",
    change: { method: "row", head: "mean", direction: "from", locked: [], isolated: false },
  },
  {
    target: "queries",
    corner: "right",
    text: "Prefix tokens such as CLS look too, though they stand nowhere in the picture; the model’s answer is often read from one.",
  },
  {
    target: "heads",
    corner: "left",
    text: "Each layer looks with several heads at once, and each head in its own way; choose one by its thumbnail.",
    change: { sort: "none" },
  },
  {
    target: "plots",
    corner: "left",
    text: "Mean attention distance says how far each head looks: in large trained models the low layers often mix near and far, and the high ones look mostly far.",
  },
  {
    target: "scale",
    corner: "right",
    text: "Colours mean what the bar says; “times uniform” lets you compare heads, as 1× is looking everywhere alike.",
    change: { scale: "uniform" },
  },
  {
    target: "method",
    corner: "right",
    text: "Rollout multiplies attention through all layers, to show what the answer could draw on; attention alone is not yet an explanation.",
    change: { scale: "linear", method: "rollout" },
  },
];

export function Tour(props: {
  step: number;
  root: HTMLElement | null;
  go: (step: number | null) => void;
  rollout: boolean; // whether there is one to show
  state: State; // as it is; as it was at the start once the tour is over
  update: (change: Partial<State>) => void;
}) {
  const { step, root, go, update } = props;
  const card = useRef<HTMLDivElement>(null);
  const current = STEPS[step];
  useLayoutEffect(() => {
    const before = { state: props.state, focus: document.activeElement, top: scrollY };
    return () => {
      update(before.state);
      scrollTo({ top: before.top });
      if (before.focus instanceof HTMLElement) before.focus.focus({ preventScroll: true });
    };
  }, []);
  useLayoutEffect(() => {
    if (!current) return;
    const { method, ...others } = current.change ?? {};
    update({ ...others, ...(method && (method !== "rollout" || props.rollout) ? { method } : {}) });
    const target = root?.querySelector(`[data-tour="${current.target}"]`);
    target?.classList.add("toured");
    target?.scrollIntoView({ block: "nearest", behavior: calm() ? "auto" : "smooth" });
    card.current?.focus({ preventScroll: true });
    return () => target?.classList.remove("toured");
  }, [step, root]);
  if (!current) return null;
  return (
    <div ref={card} class={`tour ${current.corner}`} role="dialog" aria-label="Guided tour" tabIndex={-1}>
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
