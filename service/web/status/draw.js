// Small pictures beside numbers. The numbers say everything; the pictures are hidden from screen readers.

import { h, svg } from "../dom.js";

const [WIDE, HIGH] = [200, 36];

/**
 * A line over the last `span` seconds, the newest reading at the right; gaps stay gaps.
 * @param {{at: number, value: number | null}[]} points @param {{now: number, span: number, most?: number}} frame
 */
export function spark(points, { now, span, most = 0 }) {
  const top = Math.max(most, ...points.map(({ value }) => value ?? 0)) || 1;
  const place = ({ at, value }) => `${(WIDE * (1 - (now - at) / span)).toFixed(1)},${(HIGH - 1 - ((HIGH - 3) * value) / top).toFixed(1)}`;
  /** @type {string[][]} */
  const runs = [[]];
  for (const point of points) {
    if (point.value === null) runs.push([]);
    else runs.at(-1)?.push(place(point));
  }
  const lines = runs.filter((run) => run.length > 1).map((run) => svg("polyline", { points: run.join(" ") }));
  return svg("svg", { class: "line", viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("line", { class: "floor", x1: 0, x2: WIDE, y1: HIGH - 0.5, y2: HIGH - 0.5 }), lines);
}

/** A share of the whole width. @param {number | null} part 0 to 1 @param {string} [kind] */
export const bar = (part, kind = "") =>
  svg("svg", { class: `share ${kind}`, viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { class: "rest", width: 100, height: 6 }), svg("rect", { width: (100 * Math.min(1, part ?? 0)).toFixed(2), height: 6 }));

/** Parts of a whole, side by side; what is called `other` in a colour of its own. @param {[string, number][]} parts */
export function stack(parts) {
  const total = parts.reduce((sum, [, part]) => sum + part, 0) || 1;
  let left = 0;
  const cells = parts.map(([name, part], at) => {
    const x = left;
    left += (100 * part) / total;
    return svg("rect", { class: `part-${name === "other" ? name : at}`, x: x.toFixed(2), width: (left - x).toFixed(2), height: 10 });
  });
  return svg("svg", { class: "stack", viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" }, cells);
}

/**
 * A table whose first column heads its rows.
 * @param {string} caption for those who do not see it @param {string[]} heads @param {import("../dom.js").Child[][]} rows
 */
export function table(caption, heads, rows) {
  const head = h("tr", {}, heads.map((name) => h("th", { scope: "col" }, name)));
  const body = rows.map(([first, ...rest]) => h("tr", {}, h("th", { scope: "row" }, first), rest.map((cell) => h("td", {}, cell))));
  const inside = h("table", {}, h("caption", { class: "unseen" }, caption), h("thead", {}, head), h("tbody", {}, body));
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, inside);
}

/** Names and values, a line each; a third entry says how it is. @param {any[][]} pairs name, value, state */
export const facts = (pairs) =>
  h("dl", { class: "facts" }, pairs.map(([name, value, state]) => h("div", { "data-state": state ?? false }, h("dt", {}, name), h("dd", {}, value))));

/** What a part shows before anything happened. @param {string} text */
export const nothing = (text) => h("p", { class: "muted nothing" }, text);
