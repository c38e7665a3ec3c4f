/** Form fields of one look: native elements, named, and reachable by keyboard. */
import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

interface Option<Value extends string> {
  value: Value;
  label: string;
  title?: string;
  disabled?: boolean;
}

/** A few choices side by side, of which one holds: radio buttons. */
export function Segmented<Value extends string>(props: {
  legend: string;
  value: Value | null;
  options: readonly Option<Value>[];
  onChange: (value: Value) => void;
}) {
  const name = useId();
  return (
    <fieldset class="segmented">
      <legend>{props.legend}</legend>
      <div class="segments">
        {props.options.map(({ value, label, title, disabled }) => (
          <label key={value} title={title} class={disabled ? "disabled" : undefined}>
            <input
              type="radio"
              name={name}
              value={value}
              checked={props.value === value}
              disabled={disabled}
              onChange={() => props.onChange(value)}
            />
            <span>{label}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}

export function Select<Value extends string>(props: {
  label: string;
  value: Value;
  options: readonly Option<Value>[];
  onChange: (value: Value) => void;
}) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{props.label}</label>
      <select
        id={id}
        value={props.value}
        onChange={(event) => props.onChange(event.currentTarget.value as Value)}
      >
        {props.options.map(({ value, label }) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
      </select>
    </div>
  );
}

export function Slider(props: {
  label: string;
  value: number;
  least: number;
  most: number;
  step: number;
  words: string; // the value, for people
  onChange: (value: number) => void;
}) {
  const id = useId();
  return (
    <div class="field slider">
      <label for={id}>{props.label}</label>
      <input
        id={id}
        type="range"
        min={props.least}
        max={props.most}
        step={props.step}
        value={props.value}
        aria-valuetext={props.words}
        onInput={(event) => props.onChange(event.currentTarget.valueAsNumber)}
      />
      <output for={id}>{props.words}</output>
    </div>
  );
}

export function Toggle(props: {
  label: ComponentChildren;
  checked: boolean;
  disabled?: boolean;
  title?: string;
  onChange: (checked: boolean) => void;
}) {
  return (
    <label class={`toggle ${props.disabled ? "disabled" : ""}`} title={props.title}>
      <input
        type="checkbox"
        checked={props.checked}
        disabled={props.disabled}
        onChange={(event) => props.onChange(event.currentTarget.checked)}
      />
      <span>{props.label}</span>
    </label>
  );
}
