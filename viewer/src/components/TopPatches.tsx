/** The map as a table: its strongest patches, for those who read rather than look. */
import { isMap } from "../engine/maps";
import type { Pane } from "../engine/pane";
import { shownMap, signed, strongest } from "../engine/words";
import { percent, timesUniform } from "../maps/format";
import { shortName } from "../state/query";

const ROWS = 10;

export function TopPatches({ pane, letter }: { pane: Pane; letter: string }) {
  const map = shownMap(pane);
  if (!map) return null;
  const difference = pane.difference !== null;
  const show = difference ? signed : percent;
  const prefix = isMap(pane.map) && !difference ? Array.from(pane.map.prefix) : [];
  const names = pane.look.layout.prefix.slice(-prefix.length || pane.look.layout.prefix.length);
  return (
    <table class="top-patches">
      <caption>
        {difference ? "Largest differences" : "Strongest patches"}
        {letter && `, picture ${letter}`}
      </caption>
      <thead>
        <tr>
          <th scope="col">row</th>
          <th scope="col">column</th>
          <th scope="col">weight</th>
          {!difference && <th scope="col">× uniform</th>}
        </tr>
      </thead>
      <tbody>
        {strongest(map, pane.look.layout.grid[1], ROWS).map(({ patch, row, column, weight }) => (
          <tr key={patch}>
            <td>{row}</td>
            <td>{column}</td>
            <td>{show(weight)}</td>
            {!difference && <td>{timesUniform(weight, map.uniform)}</td>}
          </tr>
        ))}
        {prefix.map((weight, index) => (
          <tr key={`prefix ${index}`} class="prefix">
            <td colSpan={2}>{shortName(names[index] ?? "")}</td>
            <td>{percent(weight)}</td>
            <td>{timesUniform(weight, map.uniform)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
