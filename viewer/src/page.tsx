/** The page of its own: reads the payload that stands in the document, and shows it. */
import { render } from "preact";
import { App } from "./components/App";
import type { Address } from "./components/hooks";
import { embeddedBlocks } from "./numbers/blocks";
import { checkVersion } from "./version";
import "./styles/page.css";

/** The address's hash; a page opened from a file may change nothing else of its address. */
const address: Address = {
  read: () => location.hash,
  write: (hash) => {
    if (hash !== location.hash) history.replaceState(null, "", hash || location.pathname + location.search);
  },
  link: (hash) => location.href.replace(/#.*$/, "") + hash,
};

function open(root: HTMLElement): void {
  const text = document.getElementById("vitscope-payload")?.textContent;
  if (!text) throw new Error("this page holds no payload: it was cut short; write it again with look.save");
  const payload = checkVersion(JSON.parse(text));
  root.replaceChildren();
  root.classList.add("vitscope");
  document.documentElement.classList.add("vitscope-page");
  render(<App payload={payload} source={embeddedBlocks(document)} address={address} />, root);
}

const root = document.getElementById("vitscope");
if (root) {
  try {
    open(root);
  } catch (error) {
    root.textContent = `vitscope cannot show this page: ${error instanceof Error ? error.message : String(error)}`;
  }
}
