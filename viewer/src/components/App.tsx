/** The page: holds the state, works out the panes, and hands both to the parts. */
import { useCallback, useEffect, useId, useMemo, useRef, useState } from "preact/hooks";
import type { Gallery } from "../engine/gallery";
import { activeQuery, carriedQuery, firstPane, type Pane, secondPane } from "../engine/pane";
import { mapWords } from "../engine/words";
import { downloadCsv, downloadPng, downloadSvg } from "../export/download";
import type { BlockSource } from "../numbers/blocks";
import type { Payload } from "../payload";
import { readHash, writeHash } from "../state/hash";
import { type Query, snapped } from "../state/query";
import { initialState, lock, type State } from "../state/state";
import { checkOf } from "../engine/check";
import { Controls } from "./Controls";
import { Toggle } from "./fields";
import { Filmstrip } from "./Filmstrip";
import { Header } from "./Header";
import { HeadGrid } from "./HeadGrid";
import { type Address, useAddress, useGallery, useNotice } from "./hooks";
import { PaneView } from "./PaneView";
import { Plots } from "./Plots";
import { Provenance } from "./Provenance";
import { TopPatches } from "./TopPatches";
import { Tour } from "./Tour";

const HELP =
  "Point at a patch to see where it looks; click or tap to lock it. Keys: arrows move, Enter locks (with shift, adds), Esc releases.";
const ROLLOUT_HELP = "The rollout starts from the model’s readout; point at a patch to read its weight.";

interface AppProps {
  payload: Payload;
  source: BlockSource;
  address: Address | null;
}

export function App({ payload, source, address }: AppProps) {
  const { gallery, revision, failure } = useGallery(payload, source);
  const [state, setState] = useState(() =>
    address ? readHash(address.read(), payload) : initialState(payload),
  );
  if (!gallery)
    return <p class="opening">{failure ? `vitscope cannot show this: ${failure}` : "Opening …"}</p>;
  return <Opened {...{ payload, address, gallery, revision, state, setState }} />;
}

interface OpenedProps {
  payload: Payload;
  address: Address | null;
  gallery: Gallery;
  revision: number;
  state: State;
  setState: (next: (state: State) => State) => void;
}

function Opened({ payload, address, gallery, revision, state, setState }: OpenedProps) {
  const [pointed, setPointed] = useState<Query | null>(null);
  const [probe, setProbe] = useState<Query | null>(null); // a patch of the first grid that is read, not looked from
  const [announced, setAnnounced] = useState(""); // heard, not seen
  const [notice, setNotice] = useNotice();
  const [adding, setAdding] = useState(false); // a click adds a query, as with shift
  const [step, setStep] = useState<number | null>(null);
  const [root, setRoot] = useState<HTMLElement | null>(null);
  const helpId = useId();
  const update = useCallback(
    (change: Partial<State>) => setState((now) => ({ ...now, ...change })),
    [setState],
  );
  const release = useCallback(() => {
    setPointed(null);
    update({ locked: [], isolated: false });
  }, [update]);
  const first = useMemo(() => firstPane(gallery, state, pointed), [gallery, revision, state, pointed]);
  const second = useMemo(() => secondPane(gallery, state, pointed), [gallery, revision, state, pointed]);
  const panes = second ? [first, second] : [first];
  useAddress(address, state, payload, setState);
  useEffect(() => {
    void gallery.prepare(state.shown);
    if (state.compared !== null) void gallery.prepare(state.compared);
  }, [gallery, state.shown, state.compared]);

  // The keys' doings are announced; the pointer's would never end.
  const byKeys = useRef(false);
  useEffect(() => {
    if (byKeys.current) setAnnounced(mapWords(first));
    byKeys.current = false;
  }, [first]);

  const events = (pane: Pane) => {
    const toFirst = (query: Query): Query => carriedQuery(query, pane, first);
    return {
      onPoint: (query: Query | null) => {
        const reads = state.locked.length > 0 || state.method === "rollout";
        const own = query && (reads ? query : snapped(query, pane.asked, pane.look));
        (reads ? setProbe : setPointed)(own && toFirst(own));
        (reads ? setPointed : setProbe)(null);
      },
      onLock: (query: Query, beside: boolean, keys: boolean) => {
        if (state.method === "rollout") return; // it has one query, the readout
        byKeys.current = keys;
        setPointed(null);
        update(lock(state, toFirst(snapped(query, pane.asked, pane.look)), beside || adding));
      },
      onMove: (query: Query) => {
        if (state.method === "rollout") return;
        byKeys.current = true;
        if (state.locked.length > 0) update({ locked: [...state.locked.slice(0, -1), toFirst(query)] });
        else setPointed(toFirst(query));
      },
      onRelease: release,
    };
  };
  const actions = [
    { label: "Tour", title: "six steps, a sentence each", run: () => setStep(0) },
    ...(address
      ? [
          {
            label: "Copy link",
            title: "to exactly what is shown",
            run: async () => setNotice(await copyLink(address, state, payload)),
          },
        ]
      : []),
    { label: "PNG", title: "download what is shown as a picture", run: () => downloadPng(panes, state) },
    { label: "SVG", title: "download what is shown as a drawing", run: () => downloadSvg(panes, state) },
    { label: "CSV", title: "download the numbers of what is shown", run: () => downloadCsv(panes) },
  ];
  const query = activeQuery(state, pointed, first.look);
  const control = { look: first.look, image: first.image, state, query, update };
  return (
    <div
      ref={setRoot}
      class={`page ${second ? "two" : "one"}`}
      onKeyDown={(event) => event.key === "Escape" && (step === null ? release() : setStep(null))}
    >
      <Header title={payload.title} summary={panes.map(summaryOf).join(" · ")} actions={actions} />
      <main>
        <div class="pictures" data-tour="picture">
          <div class="panes">
            {panes.map((pane, index) => (
              <PaneView
                key={index}
                pane={pane}
                state={state}
                probe={probe && carriedQuery(probe, first, pane)}
                letter={second ? "AB"[index]! : ""}
                helpId={helpId}
                {...events(pane)}
              />
            ))}
          </div>
          <div class="help">
            <p id={helpId} class="faint">
              {state.method === "rollout" ? ROLLOUT_HELP : HELP}
            </p>
            {state.method !== "rollout" && (
              <Toggle label="Clicks add a query, up to five" checked={adding} onChange={setAdding} />
            )}
          </div>
          <Filmstrip payload={payload} state={state} update={update} />
        </div>
        <div class="side">
          <Controls {...control} lock={(named, beside) => update(lock(state, named, beside || adding))} />
          <HeadGrid gallery={gallery} state={state} query={query} revision={revision} update={update} />
          <Plots gallery={gallery} state={state} update={update} />
        </div>
      </main>
      <section class="below" aria-label="Numbers and provenance">
        {panes.map((pane, index) => (
          <div key={index} class="details">
            <TopPatches pane={pane} letter={second ? "AB"[index]! : ""} />
            <Provenance
              payload={payload}
              look={pane.look}
              image={pane.image}
              letter={second ? "AB"[index]! : ""}
              checks={checkOf(gallery, pane.view)}
            />
          </div>
        ))}
      </section>
      <p class="announced" role="status">
        {announced}
      </p>
      <p class="notice" role="status">
        {notice}
      </p>
      {step !== null && (
        <Tour {...{ step, root, state, update }} go={setStep} rollout={Boolean(first.image.rollout)} />
      )}
    </div>
  );
}

async function copyLink(address: Address, state: State, payload: Payload): Promise<string> {
  const link = address.link(writeHash(state, payload));
  try {
    await navigator.clipboard.writeText(link);
    return "Link copied.";
  } catch {
    return `This browser does not let the page copy; the link is ${link}`;
  }
}

function summaryOf({ look }: Pane): string {
  return `${look.label}: ${look.layout.description}; attention verified to ${look.verification_error.toExponential(0)}`;
}
