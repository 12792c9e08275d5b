// The tree as SVG: fates differ by shape, line and colour; two bars say what generator and PRM thought of a prefix.

import { h, svg } from "../dom.js";
import { count, figure, path, percent } from "../format.js";
import { parentOf } from "./model.js";

const HEAD = 62;
const CODE = 30;
const MARK = 9;
const NARROW = 120; // px that a level has for its words

const pen = document.createElement("canvas").getContext("2d");

/** Has a text room, in the tree's font? @param {string} text @param {number} width in px */
function fits(text, width) {
  if (!pen) return false;
  pen.font = `12px ${getComputedStyle(document.body).fontFamily}`;
  return pen.measureText(text).width <= width;
}

/** As much of a text as fits. @param {string} text @param {number} width in px */
function fit(text, width) {
  if (width < 24) return "";
  if (fits(text, width)) return text;
  let end = text.length;
  while (end > 1 && !fits(`${text.slice(0, end)}…`, width)) end -= 1;
  return end > 1 ? `${text.slice(0, end).trimEnd()}…` : "";
}

/**
 * The mark of a fate: full circle, diamond, cross; of the strongest that lost, a cross in a ring.
 * @param {string} fate
 */
export function markOf(fate) {
  if (fate === "strongest")
    return svg("path", { d: "M-3-3 3 3M3-3-3 3M0-6.5A6.5 6.5 0 1 1-.01-6.5", class: "mark pruned" });
  if (fate === "kept") return svg("circle", { r: 4, class: "mark kept" });
  if (fate === "rescued") return svg("path", { d: "M0-6 6 0 0 6-6 0Z", class: "mark rescued" });
  return svg("path", { d: "M-3.5-3.5 3.5 3.5M3.5-3.5-3.5 3.5", class: "mark pruned" });
}

/** What a reader hears of a node. @param {import("./model.js").TreeNode} node @param {string} meaning */
export const spoken = (node, meaning) =>
  [
    `Level ${node.level}`,
    path(node.sid),
    meaning,
    node.fate,
    node.lostBy === null ? "" : "strongest of the pruned",
    node.rank === null ? "" : `recommended at rank ${node.rank}`,
    node.logProb === null ? "" : `log-prob ${figure(node.logProb)}`,
    node.reward === null ? "" : `reward ${figure(node.reward)}`,
  ]
    .filter(Boolean)
    .join(", ");

/**
 * @param {ReturnType<import("./layout.js").layout>} places @param {import("./model.js").TreeLevel[]} levels
 * @param {import("../items.js").Items} items @param {number} width
 */
export function draw(places, levels, items, width) {
  const height = HEAD + places.height + 8;
  const scales = levels.map((level) => ({
    reward: scale(level.nodes.map((node) => node.reward)),
    logProb: scale(level.nodes.map((node) => node.logProb)),
  }));
  const placed = [...places.placed.values()];
  return svg(
    "svg",
    {
      class: "tree-picture",
      viewBox: `0 0 ${width} ${height}`,
      width,
      height,
      role: "group",
      "aria-label": "Search tree: arrow keys walk, Enter selects",
    },
    levels.map((level, at) => head(level, places.columns[at], places.column - places.gap)),
    svg(
      "g",
      { transform: `translate(${MARK} ${HEAD})` },
      svg(
        "g",
        { "aria-hidden": "true" },
        placed.map((place) => link(place, places)),
      ),
      placed.map((place) => node(place, places.column - places.gap, scales[place.node.level - 1], items)),
    ),
  );
}

/** A level's name, how many it expanded and kept as a bar, and how far the votes agree. */
function head(level, x, room) {
  const share = level.expanded ? level.kept / level.expanded : 0;
  const rescued = level.expanded ? level.rescued / level.expanded : 0;
  const votes = level.agreement === null ? "" : `${percent(level.agreement)} of votes agree`;
  const [spent, rescues] = [
    `${count(level.expanded)} → ${count(level.kept)}`,
    level.rescued ? `${count(level.rescued)} rescued` : "",
  ];
  const short = `${spent}, ${count(level.rescued)} ◆`;
  const together = rescues ? `${spent}, ${rescues}` : spent;
  const said = room < NARROW ? [spent, rescues] : [fits(together, room + 8) ? together : short, votes];
  return svg(
    "g",
    { class: "level-head", transform: `translate(${x} 0)` },
    svg("text", { y: 12, class: "level-name" }, `Level ${level.level}`),
    svg("text", { y: 29 }, fit(said[0], room + 8)),
    svg("rect", { y: 36, width: room, height: 4, rx: 2, class: "well" }),
    svg("rect", { y: 36, width: Math.max(2, room * share), height: 4, rx: 2, class: "part kept" }),
    svg("rect", { y: 36, x: room * (share - rescued), width: room * rescued, height: 4, rx: 2, class: "part rescued" }),
    svg("text", { y: 53, class: "votes" }, fit(said[1], room + 8)),
  );
}

function link({ node: child, x, y }, { placed, column, gap }) {
  const parent = placed.get(parentOf(child.key));
  if (!parent) return null;
  const from = parent.x + column - gap - 4;
  const middle = (from + x) / 2;
  return svg("path", {
    d: `M${from} ${parent.y}C${middle} ${parent.y} ${middle} ${y} ${x - 7} ${y}`,
    class: `link ${child.fate}`,
    "data-to": child.key,
  });
}

function node({ node: one, x, y }, width, scales, items) {
  const meaning = items.meaning(one.key);
  const text = one.rank === null ? meaning : `${one.rank}. ${items.of(one.items[0])?.title || meaning}`;
  const room = width - MARK - 8 - CODE;
  return svg(
    "g",
    {
      class: `node ${one.fate}${one.items.length ? " answer" : ""}`,
      transform: `translate(${x} ${y})`,
      role: "button",
      tabindex: -1,
      "data-key": one.key,
      "aria-pressed": "false",
      "aria-label": spoken(one, meaning),
    },
    svg("rect", { class: "hit", x: -9, y: -12, width: width + 2, height: 25, rx: 5 }),
    markOf(one.lostBy === null ? one.fate : "strongest"),
    svg("text", { x: 11, y: 2, class: "code" }, one.sid.at(-1)),
    svg("text", { x: 11 + CODE, y: 2, class: "meaning" }, fit(text, room)),
    bars(one, CODE + room, scales),
  );
}

function bars(one, width, scales) {
  return svg(
    "g",
    { transform: "translate(11 0)", "aria-hidden": "true" },
    one.logProb !== null &&
      svg("rect", { y: 5, width: width * scales.logProb(one.logProb), height: 2.5, class: "bar generator" }),
    one.reward !== null &&
      svg("rect", { y: 8, width: width * scales.reward(one.reward), height: 2.5, class: "bar reward" }),
  );
}

/** From a level's least to its most, as 0.08 to 1. @param {(number | null)[]} values */
function scale(values) {
  const known = values.filter((value) => value !== null);
  const least = Math.min(...known);
  const range = Math.max(...known) - least || 1;
  return (value) => 0.08 + (0.92 * (value - least)) / range;
}

/** What the shapes mean. */
export function legend() {
  const entry = (fate, text) =>
    h(
      "span",
      {},
      svg("svg", { width: 14, height: 14, viewBox: "-8 -8 16 16", "aria-hidden": "true" }, markOf(fate)),
      text,
    );
  const bar = (kind, text) =>
    h(
      "span",
      {},
      svg(
        "svg",
        { width: 18, height: 6, "aria-hidden": "true" },
        svg("rect", { width: 18, height: 4, y: 1, class: `bar ${kind}` }),
      ),
      text,
    );
  return h(
    "p",
    { class: "legend" },
    entry("kept", "kept"),
    entry("rescued", "rescued"),
    entry("pruned", "pruned"),
    entry("strongest", "strongest of them"),
    bar("generator", "log-prob"),
    bar("reward", "reward"),
  );
}
