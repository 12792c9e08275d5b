// Where every node stands: a column for each level, children beside their parent, no two links crossing.

import { parentOf } from "./model.js";

/** @typedef {{node: import("./model.js").TreeNode, x: number, y: number}} Placed */

const NARROW = 150; // px for a column
const ORDER = { kept: 0, rescued: 0, pruned: 1 };

/**
 * @param {import("./model.js").TreeLevel[]} levels @param {number} width @param {number} row its height in px
 * @returns {{placed: Map<string, Placed>, columns: number[], column: number, gap: number, height: number}} column: from
 *   one to the next; gap: the part of it that is left to links
 */
export function layout(levels, width, row) {
  const among = Math.max(1, levels.length);
  const gap = width / among < NARROW ? 18 : 40;
  const column = (width - 4 + gap) / among; // none is needed behind the last
  const height = row * Math.max(1, ...levels.map((level) => level.nodes.length));
  /** @type {Map<string, Placed>} */
  const placed = new Map();
  levels.forEach((level, at) => {
    const sorted = ordered(level.nodes, placed);
    const ys = spread(
      sorted.map((group) => ({ size: group.nodes.length, wish: group.wish })),
      row,
      height,
    );
    sorted
      .flatMap((group) => group.nodes)
      .forEach((node, place) => placed.set(node.key, { node, x: at * column, y: ys[place] }));
  });
  return { placed, columns: levels.map((_, at) => at * column), column, gap, height };
}

/** Siblings together, families in the order of their parents; within one what was kept first, the better first. */
function ordered(nodes, placed) {
  const families = new Map();
  for (const node of [...nodes].sort(better)) {
    const parent = parentOf(node.key);
    families.set(parent, [...(families.get(parent) ?? []), node]);
  }
  return [...families]
    .map(([parent, family]) => ({ nodes: family, wish: placed.get(parent)?.y ?? 0 }))
    .sort((a, b) => a.wish - b.wish);
}

const better = (a, b) =>
  ORDER[a.fate] - ORDER[b.fate] ||
  (b.reward ?? -Infinity) - (a.reward ?? -Infinity) ||
  (b.logProb ?? -Infinity) - (a.logProb ?? -Infinity);

/** Centres of rows: each family around its parent as far as there is room, down first, then up from the end. */
function spread(families, row, height) {
  const ys = [];
  let free = row / 2;
  for (const { size, wish } of families) {
    const first = Math.max(free, (wish || row / 2) - ((size - 1) * row) / 2);
    for (let at = 0; at < size; at += 1) ys.push(first + at * row);
    free = first + size * row;
  }
  let limit = height - row / 2;
  for (let at = ys.length - 1; at >= 0 && ys[at] > limit; at -= 1, limit -= row) ys[at] = limit;
  return ys;
}
