/** How much of the row falls on prefix tokens, which no map over the picture can show. */
import { isMap } from "../engine/maps";
import type { Pane } from "../engine/pane";
import { prefixShares } from "../engine/words";
import { concise, percent } from "../maps/format";
import { shortName } from "../state/query";

export function PrefixMass({ pane, received }: { pane: Pane; received: boolean }) {
  if (!isMap(pane.map) || pane.difference) return <div class="prefix-mass" />;
  const tokens = prefixShares(pane.map);
  const last = pane.tinted.at(-1); // of several queries, whose map this is
  const whose = last ? `${last.words}: ` : "";
  if (tokens.length === 0) return <div class="prefix-mass" />;
  const parts = tokens.map(({ name, weight }) => ({ name: shortName(name), weight, kind: "token" }));
  const all = [...parts, { name: "patches", weight: pane.map.total, kind: "patches" }];
  const sum = all.reduce((whole, { weight }) => whole + weight, 0) || 1;
  return (
    <div class="prefix-mass">
      <div class="shares" aria-hidden="true">
        {all.map(({ name, weight, kind }, index) => (
          <span
            key={name}
            class={`${kind} shade-${index % 2}`}
            style={{ width: `${(100 * weight) / sum}%` }}
          />
        ))}
      </div>
      <p class="share-words">
        <span class="faint">
          {whose}
          {received ? "Received from" : "Mass on"}
        </span>
        {all.map(({ name, weight, kind }) => (
          <span key={name} class={`share ${kind}`}>
            {name} <b>{received && kind === "patches" ? concise(weight) : percent(weight)}</b>
          </span>
        ))}
      </p>
    </div>
  );
}
