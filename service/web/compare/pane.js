// One side of a comparison: what it runs, what that took, and its list.

import { h } from "../dom.js";
import { cached, computed, reason } from "../figures.js";
import { count, ms } from "../format.js";
import { EXACT } from "../request.js";
import { place, score } from "../list.js";
import { say } from "../trouble.js";
import { choices, sideOf, textOf } from "./sides.js";
import { strategies } from "../knob.js";

/**
 * The left side is the one that the marks of the right side refer to.
 * @param {"a" | "b"} name @param {import("../page.js").Offered} offered @param {import("../items.js").Items} items
 * @param {(text: string) => void} write
 */
export function pane(name, offered, items, write) {
  const label = `Side ${name.toUpperCase()}`;
  const what = h(
    "select",
    { id: `side-${name}`, "aria-label": `${label} runs` },
    choices(
      offered.experiments,
      offered.bundle.tiers.map((tier) => tier.name),
    ),
  );
  const how = h(
    "select",
    { id: `strategy-${name}`, "aria-label": `${label} strategy` },
    strategies(offered.bundle.strategies, offered.plain.strategy),
  );
  const figures = h("dl", { class: "pane-figures" });
  const list = h("ol", { class: "list", "aria-label": `${label}: items` });
  const trouble = h("div", { class: "trouble", role: "alert" });
  const chosen = () => ({ ...sideOf(what.value), strategy: what.value.includes("=") ? "" : how.value });
  for (const select of [what, how]) select.addEventListener("change", () => write(textOf(chosen())));

  return {
    element: h(
      "section",
      { class: "panel pane", id: `pane-${name}`, "aria-label": label },
      h("div", { class: "pane-head" }, h("b", { "aria-hidden": "true" }, name.toUpperCase()), what, how),
      figures,
      trouble,
      list,
    ),
    list,
    /** @param {string} text what this side runs */
    set(text) {
      const side = sideOf(text);
      what.value = side.bucket || side.tier;
      how.value = side.strategy;
      how.disabled = Boolean(side.bucket) || side.tier === EXACT;
      how.options[0].textContent = side.bucket ? "the bucket’s own" : `${offered.plain.strategy} (default)`;
      how.title = side.bucket
        ? "The bucket decides"
        : side.tier === EXACT
          ? "A scan takes no strategy"
          : "How the search spends its budget";
    },
    /**
     * @param {{answer: any, ms: number}} asked
     * @param {Map<string, number>} other places on the other side
     * @param {any} opened
     */
    draw(asked, other, opened) {
      say(trouble, null, () => {});
      figures.replaceChildren(
        ...terms(asked, opened).map(([term, value, more]) =>
          h("div", {}, h("dt", {}, term), h("dd", {}, value, h("span", { class: "muted" }, ` ${more}`))),
        ),
      );
      list.replaceChildren(
        ...asked.answer.items.map((item, at) => row(item, at, other.get(item.item_id), name === "a", items)),
      );
    },
    /** @param {import("../api.js").Refusal} error @param {() => void} again */
    refuse(error, again) {
      say(trouble, error, again);
      list.replaceChildren();
      figures.replaceChildren();
    },
  };
}

function terms({ answer, ms: wall }, opened) {
  const sums = computed(opened);
  const { tier, k_keep: keep, k_plus: plus, strategy } = answer.budget;
  return [
    ["Latency", `${ms(wall)} ms`, `${ms(answer.timings_ms.total)} in the service, ${cached(answer)}`],
    ["Tier", tier, reason(answer.budget)],
    ["Search", strategy, answer.source === "search" ? `K′ ${count(keep)} of K+ ${count(plus)}` : answer.source],
    [
      "Compute",
      sums ? count(sums.expanded) : "–",
      sums ? `expanded, ${count(sums.kept)} kept, ${count(sums.rescued)} rescued` : "no search counted",
    ],
  ];
}

/** @param {number | undefined} there its place on the other side @param {boolean} first is this the left side? */
function row(item, at, there, first, items) {
  const by = there === undefined || first ? 0 : there - at;
  const said = there === undefined ? "only here" : there === at ? "same rank" : `rank ${there + 1} on the other side`;
  const sign = there === undefined ? "only" : by ? `${by > 0 ? "▲" : "▼"}${Math.abs(by)}` : "";
  const kind = there === undefined ? "only" : by > 0 ? "up" : by < 0 ? "down" : "both";
  return h(
    "li",
    { "data-id": item.item_id, class: kind },
    h(
      "div",
      { class: "row" },
      place(at, sign, said),
      h(
        "span",
        { class: "text" },
        h("span", { class: "name" }, items.name(item.item_id)),
        h("span", { class: "detail mono" }, items.detail(item.item_id)),
      ),
      h("span", { class: "score" }, score(item)),
    ),
  );
}
