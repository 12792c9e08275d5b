// What is known of one node: its figures, what its code stands for, and which items of the history spoke for it.

import { h, svg } from "../dom.js";
import { count, figure, leaf, path, percent } from "../format.js";

const FATES = {
  kept: "Kept: the PRM ranks it among the best of its level.",
  rescued: "Rescued: the beam alone would have cut it; the PRM kept it.",
  pruned: "Pruned: the generator proposed it, the PRM let it go.",
};

/**
 * @param {import("./model.js").TreeNode | null} node
 * @param {import("./model.js").TreeLevel | null} level
 * @param {import("../items.js").Items} items
 */
export function nodePanel(node, level, items) {
  if (!node || !level) return [h("p", { class: "muted" }, "Point at a prefix, or walk with the arrow keys.")];
  return [
    h("h3", {}, h("span", { class: "mono" }, path(node.sid)), `  ${title(node, items)}`),
    h("p", {}, fate(node, level)),
    figures(node, level),
    h(
      "div",
      { class: "halves" },
      h("div", {}, meaning(items.prefix(node.key), items)),
      h("div", {}, because(node, items)),
    ),
  ];
}

const title = (node, items) => {
  const prefix = items.prefix(node.key);
  return prefix?.items === 1 ? items.name(prefix.examples[0].item_id) : items.meaning(node.key);
};

function fate(node, level) {
  if (level.entropy === null) return "Kept by log-probability: no PRM ran at this level.";
  if (node.lostBy === null) return FATES[node.fate];
  return node.lostBy < 0
    ? "Strongest of the pruned: its score would have passed, the strategy chose otherwise."
    : `Strongest of the pruned: its score missed the last place by ${figure(node.lostBy, 3)}.`;
}

function figures(node, level) {
  if (node.logProb === null)
    return h("p", { class: "muted" }, "The explanation lists what became of it, not its own figures.");
  const pairs = [
    ["log-prob", node.logProb],
    ["reward", node.reward],
    ["corrected", node.corrected],
    ["votes ±", level.deviation],
  ].filter(([, value]) => value !== null);
  return h(
    "dl",
    {},
    pairs.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, figure(value)))),
  );
}

/** A bar of this share, a figure, and what they are of. */
const share = (part, said, name, title) =>
  h(
    "li",
    { title },
    svg(
      "svg",
      { viewBox: "0 0 40 6", preserveAspectRatio: "none", "aria-hidden": "true" },
      svg("rect", { width: 40, height: 6, class: "well" }),
      svg("rect", { width: Math.max(1, 40 * part), height: 6, class: "bar reward" }),
    ),
    h("span", { class: "muted" }, said),
    h("span", {}, name),
  );

function meaning(prefix, items) {
  if (!prefix) return h("p", { class: "muted" }, "Nothing is known of it.");
  const such = prefix.examples.map((item) => items.name(item.item_id)).join("; ");
  return [
    h(
      "h4",
      { title: such },
      prefix.items === 1 ? "Stands for 1 item" : `Stands for ${count(prefix.items)} items, such as ${such}`,
    ),
    h(
      "ul",
      { class: "shares" },
      prefix.categories.map((one) => share(one.share, percent(one.share), leaf(one.name), one.name)),
    ),
  ];
}

/** Below 0 a history item spoke for the prefix: without it, the prefix would have had less. */
function because(node, items) {
  const spoke = node.because?.filter(({ change }) => change < 0) ?? [];
  if (!spoke.length) {
    return [
      h("h4", {}, "Because of"),
      h("p", { class: "muted" }, node.because ? "no single item of the history" : "told of recommended paths"),
    ];
  }
  const most = Math.max(...spoke.map(({ change }) => -change));
  const why = (change) => `Without it, its log share of the rewards changes by ${figure(change, 3)} nats`;
  return [
    h("h4", {}, "Because of, in nats"),
    h(
      "ul",
      { class: "shares" },
      spoke.map(({ item_id: id, change }) => share(-change / most, `+${figure(-change)}`, items.name(id), why(change))),
    ),
  ];
}
