// The tree for those who would rather read it: one row for every prefix shown.

import { h } from "../dom.js";
import { count, figure, path, percent } from "../format.js";

const HEADS = ["Prefix", "Stands for", "Fate", "Log-prob", "Reward", "Leads to"];

/** @param {import("./model.js").TreeLevel[]} levels @param {import("../items.js").Items} items */
export function treeTable(levels, items) {
  return h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": "Search tree as a table" },
    levels.map((level) => table(level, items)),
  );
}

function table(level, items) {
  const votes = level.agreement === null ? "" : `, ${percent(level.agreement)} of the votes agree`;
  const counts = ["expanded", "kept", "rescued"].map((name) => `${count(level[name])} ${name}`).join(", ");
  const said = `Level ${level.level}: ${counts}${votes}`;
  return h(
    "table",
    {},
    h("caption", {}, said),
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        HEADS.map((head) => h("th", { scope: "col" }, head)),
      ),
    ),
    h(
      "tbody",
      {},
      level.nodes.map((node) => row(node, items)),
    ),
  );
}

function row(node, items) {
  const fate = node.lostBy === null ? node.fate : `pruned, lost by ${figure(node.lostBy, 3)}`;
  const cells = [
    items.meaning(node.key),
    fate,
    figure(node.logProb, 3),
    figure(node.reward, 3),
    node.items.map((id) => items.name(id)).join("; "),
  ];
  return h(
    "tr",
    {},
    h("th", { scope: "row", class: "mono" }, path(node.sid)),
    cells.map((cell) => h("td", {}, cell)),
  );
}
