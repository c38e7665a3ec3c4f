/** The state in the URL's hash and back: only what differs from its picture's first state, if it has meaning. */
import { COLOUR_MAPS } from "../colours/colours";
import type { Payload } from "../payload";
import { resolveQuery } from "./query";
import { initialState, lastCarried, MOST_QUERIES, type State } from "./state";
import { imageOf, lookOf, viewsOf } from "./views";

/** One field: its text, and the value of a text, or undefined where that means nothing on this page. */
interface Field<Value> {
  write(value: Value): string;
  read(text: string, payload: Payload, state: State): Value | undefined;
}

const FIELDS: { [Key in keyof State]: Field<State[Key]> } = {
  shown: whole((payload) => viewsOf(payload).length),
  compared: {
    write: (value) => (value === null ? "none" : String(value)),
    read: (text, payload) => (text === "none" ? null : index(text, viewsOf(payload).length)),
  },
  difference: flag(),
  layer: orMean((payload, state) => lookOf(payload, state.shown).layers.length),
  head: orMean((payload, state) =>
    Math.max(...lookOf(payload, state.shown).layers.map((layer) => layer.heads)),
  ),
  method: oneOf(["row", "mask", "rollout"]),
  direction: oneOf(["from", "to"]),
  locked: {
    write: (value) => value.join(";"),
    read: (text, payload, state) => {
      const found = text.split(";").filter((query) => resolveQuery(query, lookOf(payload, state.shown)));
      return [...new Set(found)].slice(0, MOST_QUERIES);
    },
  },
  scale: oneOf(["linear", "uniform", "logarithmic", "shared"]),
  ceiling: within(1, 1000),
  colours: oneOf(COLOUR_MAPS),
  smooth: flag(),
  opacity: within(0, 1),
  mass: within(0.01, 1),
  start: whole((payload, state) => lookOf(payload, state.shown).layers.length),
  sort: oneOf(["none", "distance", "entropy", "prefix"]),
  reversed: flag(),
  isolated: flag(),
  rescale: flag(),
};

/** "#layer=3&head=5&locked=9,4"; "" for the first state. */
export function writeHash(state: State, payload: Payload): string {
  const first = { ...firstState(payload, state.shown), shown: initialState(payload).shown };
  const pairs = (Object.keys(FIELDS) as (keyof State)[]).flatMap((key) => {
    const text = write(key, state);
    return text === write(key, first) ? [] : [`${key}=${encodeURIComponent(text).replaceAll("%2C", ",")}`];
  });
  return pairs.length > 0 ? `#${pairs.join("&")}` : "";
}

/** The state that a hash asks for; what it does not say, or says wrongly, is as in the first state. */
export function readHash(hash: string, payload: Payload): State {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  const shown = FIELDS.shown.read(given.get("shown") ?? "", payload, initialState(payload));
  const state = firstState(payload, shown ?? initialState(payload).shown);
  for (const key of Object.keys(FIELDS) as (keyof State)[]) {
    const text = given.get(key);
    if (text !== null) assign(state, key, FIELDS[key].read(text, payload, state));
  }
  const image = imageOf(payload, state.shown);
  return state.method === "rollout" && !image.rollout ? { ...state, method: "row" } : state;
}

/** As the page opens, but for the picture; where looks differ in layers, another one may be the last. */
function firstState(payload: Payload, shown: number): State {
  return { ...initialState(payload), shown, layer: lastCarried(payload, shown) };
}

function write(key: keyof State, state: State): string {
  return (FIELDS[key] as Field<unknown>).write(state[key]);
}

function assign<Key extends keyof State>(state: State, key: Key, value: unknown): void {
  if (value !== undefined) state[key] = value as State[Key];
}

function oneOf<Value extends string>(values: readonly Value[]): Field<Value> {
  return { write: (value) => value, read: (text) => values.find((value) => value === text) };
}

function flag(): Field<boolean> {
  return { write: (value) => (value ? "1" : "0"), read: (text) => text === "1" };
}

function within(least: number, most: number): Field<number> {
  return {
    write: String,
    read: (text) => {
      const value = text.trim() === "" ? Number.NaN : Number(text);
      return value >= least && value <= most ? value : undefined;
    },
  };
}

type Length = (payload: Payload, state: State) => number;

function whole(length: Length): Field<number> {
  return { write: String, read: (text, payload, state) => index(text, length(payload, state)) };
}

function orMean(length: Length): Field<number | "mean"> {
  return {
    write: String,
    read: (text, payload, state) => (text === "mean" ? "mean" : index(text, length(payload, state))),
  };
}

function index(text: string, length: number): number | undefined {
  return /^\d{1,6}$/.test(text) && Number(text) < length ? Number(text) : undefined;
}
