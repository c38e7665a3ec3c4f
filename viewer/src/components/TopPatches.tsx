/** The map as a table: its strongest patches, for those who read rather than look. */
import type { Pane } from "../engine/pane";
import { prefixShares, shownMap, signed, strongest } from "../engine/words";
import { percent, timesUniform } from "../maps/format";
import { shortName } from "../state/query";

const ROWS = 10;

export function TopPatches({ pane, letter }: { pane: Pane; letter: string }) {
  const map = shownMap(pane);
  if (!map) return null;
  const difference = pane.difference !== null;
  const show = difference ? signed : percent;
  return (
    <table class="top-patches">
      <caption>
        {difference ? "Largest differences" : "Strongest patches"}
        {pane.tinted.length > 0 && ` of ${pane.tinted.at(-1)!.words}`}
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
        {strongest(map, pane.shown.grid[1], ROWS).map(({ patch, row, column, weight }) => (
          <tr key={patch}>
            <td>{row}</td>
            <td>{column}</td>
            <td>{show(weight)}</td>
            {!difference && <td>{timesUniform(weight, map.uniform)}</td>}
          </tr>
        ))}
        {prefixShares(map).map(({ name, weight }) => (
          <tr key={name} class="prefix">
            <td colSpan={2}>{shortName(name)}</td>
            <td>{percent(weight)}</td>
            <td>{timesUniform(weight, map.uniform)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
