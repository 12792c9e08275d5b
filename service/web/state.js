// What the page shows, as one plain object, and the same in the address so that a view can be shared.

/**
 * @typedef {object} State
 * @property {string[]} history oldest first
 * @property {string} tier `auto` or a tier
 * @property {string} strategy empty: the service's own
 * @property {number} k
 * @property {string} category empty: any
 * @property {string} deadline in ms; empty: none
 * @property {"explore" | "compare"} view
 * @property {string} a the left side of the comparison: `experiment=bucket`, or `tier` or `tier:strategy`
 * @property {string} b its right side
 * @property {string} item the item whose path is shown
 */

/** @type {State} */
export const EMPTY = Object.freeze({
  history: [],
  tier: "",
  strategy: "",
  k: 10,
  category: "",
  deadline: "",
  view: "explore",
  a: "",
  b: "",
  item: "",
});

const MOST = 100;
const whole = (text, most) => (/^\d{1,6}$/.test(text) && Number(text) >= 1 ? Math.min(Number(text), most) : null);

/** Texts under their names; what an address does not have stays as in EMPTY. */
const READ = {
  history: (text) => text.split(",").filter(Boolean).map(decodeURIComponent),
  k: (text) => whole(text, MOST) ?? EMPTY.k,
  deadline: (text) => String(whole(text, 600_000) ?? ""),
  view: (text) => (text === "compare" ? "compare" : "explore"),
};

/** The state in a URL's fragment; nonsense is left out. @param {string} hash @returns {Partial<State>} */
export function fromHash(hash) {
  const found = {};
  for (const part of hash.replace(/^#/, "").split("&")) {
    const [name, ...rest] = part.split("=");
    if (!Object.hasOwn(EMPTY, name)) continue;
    try {
      found[name] = (READ[name] ?? decodeURIComponent)(rest.join("="));
    } catch {
      // a broken escape: as if the part were not there
    }
  }
  return found;
}

/**
 * Only what differs from `plain`; a history always, so that an empty one stays empty.
 * @param {State} state
 * @param {State} plain
 */
export function toHash(state, plain) {
  const parts = Object.keys(EMPTY)
    .filter((name) => name === "history" || state[name] !== plain[name])
    .map((name) => `${name}=${[state[name]].flat().map(encodeURIComponent).join(",")}`);
  return `#${parts.join("&")}`;
}

/** Holds the state, writes the address, and tells whoever listens what changed. */
export class Store {
  #listeners = [];

  /** @param {State} plain what an address need not say @param {Partial<State>} found */
  constructor(plain, found) {
    this.plain = plain;
    this.state = { ...plain, ...found };
  }

  /** @param {(state: State, changed: Set<string>) => void} listener */
  listen(listener) {
    this.#listeners.push(listener);
  }

  /** @param {Partial<State>} patch */
  set(patch) {
    const changed = new Set(Object.keys(patch).filter((name) => patch[name] !== this.state[name]));
    if (!changed.size) return;
    this.state = { ...this.state, ...patch };
    history.replaceState(null, "", toHash(this.state, this.plain));
    for (const listener of this.#listeners) listener(this.state, changed);
  }
}
