// What became of a list of items between two answers.

/** @typedef {{kind: "first" | "same" | "new" | "up" | "down", by: number}} Change */

/**
 * For every item of `now` how it stands against `before`, and what is gone. Without a `before` nothing has changed.
 * @param {string[] | null} before @param {string[]} now
 */
export function changes(before, now) {
  const places = new Map((before ?? []).map((id, at) => [id, at]));
  const present = new Set(now);
  const moved = new Map(now.map((id, at) => [id, before ? change(places.get(id), at) : { kind: "first", by: 0 }]));
  return { moved, gone: (before ?? []).filter((id) => !present.has(id)) };
}

/** @param {number | undefined} was @param {number} is @returns {Change} */
function change(was, is) {
  if (was === undefined) return { kind: "new", by: 0 };
  return { kind: was === is ? "same" : is < was ? "up" : "down", by: Math.abs(was - is) };
}

/** How two answers agree: items in both, their share of the longer list, and the mean change of rank of those. */
export function agreement(a, b) {
  const places = new Map(b.map((id, at) => [id, at]));
  const both = a.flatMap((id, at) => (places.has(id) ? [Math.abs(at - places.get(id))] : []));
  const longer = Math.max(a.length, b.length, 1);
  return {
    both: both.length,
    of: longer,
    overlap: both.length / longer,
    shift: both.length ? both.reduce((x, y) => x + y, 0) / both.length : null,
  };
}

const SIGNS = { first: "", same: "", new: "new", up: "▲", down: "▼" };
const WORDS = { first: "", same: "same place", new: "new", up: "up", down: "down" };

/** A change as a mark of its own shape and as words. @param {Change} change */
export const mark = ({ kind, by }) => ({
  sign: `${SIGNS[kind]}${by || ""}`,
  words: `${WORDS[kind]}${by ? ` ${by}` : ""}`,
});
