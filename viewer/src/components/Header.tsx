/** The page's head: what it shows, and what can be taken away. */

export interface Action {
  label: string;
  title: string;
  run: () => void | Promise<void>;
}

export function Header(props: { title: string; summary: string; actions: readonly Action[] }) {
  return (
    <header>
      <h1>{props.title}</h1>
      <p class="summary faint" title={props.summary}>
        {props.summary}
      </p>
      <div class="actions">
        {props.actions.map(({ label, title, run }) => (
          <button key={label} type="button" title={title} onClick={() => void run()}>
            {label}
          </button>
        ))}
      </div>
    </header>
  );
}
