// The recommended items, and calmly what changed since the answer before.

import { mark, changes } from "./changes.js";
import { $, h, held, still } from "./dom.js";
import { reason } from "./figures.js";
import { count, figure } from "./format.js";

const MOVE = { duration: 320, easing: "cubic-bezier(.2,.7,.2,1)" };

/**
 * @param {import("./items.js").Items} items @param {(id: string) => void} choose shows its path
 * @param {(id: string) => void} add puts it into the history
 */
export function itemList(items, choose, add) {
  const list = $("list");
  let before = null;

  function row(item, at, change, chosen) {
    const id = item.item_id;
    const { sign, words } = mark(change);
    return h(
      "li",
      { "data-id": id, class: change.kind },
      h(
        "button",
        { type: "button", class: "row", "aria-pressed": String(id === chosen), onclick: () => choose(id) },
        place(at, sign, words),
        h(
          "span",
          { class: "text" },
          h("span", { class: "name" }, items.name(id)),
          h("span", { class: "detail mono" }, items.detail(id)),
        ),
        h(
          "span",
          { class: "score", title: scores(item) },
          score(item),
        ),
      ),
      h(
        "button",
        {
          type: "button",
          class: "quiet tool",
          title: "Add to the history",
          "aria-label": `Add to the history: ${items.name(id)}`,
          onclick: () => add(id),
        },
        "+",
      ),
    );
  }

  return {
    /**
     * @param {any} answer
     * @param {string} chosen
     * @param {string} label what to call this answer in the next comparison
     */
    draw(answer, chosen, label) {
      const ids = answer.items.map((item) => item.item_id);
      const { moved, gone } = changes(before?.ids ?? null, ids);
      const tops = positions(list);
      const focus = held(list);
      const focused = focus && list.children[focus.row].dataset.id;
      list.replaceChildren(...answer.items.map((item, at) => row(item, at, moved.get(item.item_id), chosen)));
      if (focus) {
        const entry = list.querySelector(`[data-id="${CSS.escape(focused)}"]`) ?? list.children[focus.row];
        entry?.children[focus.control]?.focus({ preventScroll: true });
      }
      const said = note(answer, before, moved, gone);
      $("list-note").textContent = $("list-note").title = said || "\u00a0";
      const left = gone.length ? `Left: ${gone.map((id) => items.name(id)).join(", ")}` : "\u00a0";
      $("left").textContent = $("left").title = left;
      before = { ids, label };
      if (!still()) animate(list, tops);
    },
    /** @param {string} chosen */
    choose(chosen) {
      for (const entry of list.children)
        entry.querySelector(".row")?.setAttribute("aria-pressed", String(entry.dataset.id === chosen));
    },
    /** Room for the answer to come. @param {number} k */
    reserve(k) {
      if (!before)
        list.replaceChildren(...Array.from({ length: k }, () => h("li", { class: "empty", "aria-hidden": "true" })));
    },
  };
}

/** A rank, and under it what became of it. */
export const place = (at, sign, words) =>
  h(
    "span",
    { class: "rank" },
    at + 1,
    h(
      "span",
      { class: "move", title: words },
      h("span", { "aria-hidden": "true" }, sign),
      h("span", { class: "unseen" }, words),
    ),
  );

/** A popular item has been counted, not scored. */
const counted = (item) => item.reward === null && item.log_prob === null;

/** What ranked an item. @param {{score: number, reward: number | null, log_prob: number | null}} item */
export const score = (item) => (counted(item) ? count(item.score) : figure(item.score));

const scores = (item) =>
  counted(item)
    ? "interactions counted"
    : `score ${figure(item.score, 3)}, reward ${figure(item.reward, 3)}, log-prob ${figure(item.log_prob, 3)}`;

function note(answer, before, moved, gone) {
  if (answer.source === "popularity") return `the most popular: ${reason(answer.budget)}`;
  if (!answer.items.length) return "nothing fits the filter";
  if (!before) return "";
  const entered = [...moved.values()].filter((change) => change.kind === "new").length;
  const shifted = [...moved.values()].filter((change) => change.by).length;
  const said =
    entered || shifted || gone.length ? `${entered} new, ${shifted} moved, ${gone.length} left` : "the same list";
  return `${said}, against ${before.label}`;
}

const positions = (list) => new Map([...list.children].map((entry) => [entry.dataset.id, entry.offsetTop]));

/** From where a row was to where it is; a new one fades in. */
function animate(list, tops) {
  if (!tops.size || tops.has(undefined)) return;
  for (const entry of list.children) {
    const was = tops.get(entry.dataset.id);
    if (was === undefined) entry.animate([{ opacity: 0 }, { opacity: 1 }], MOVE);
    else if (was !== entry.offsetTop)
      entry.animate([{ transform: `translateY(${was - entry.offsetTop}px)` }, { transform: "none" }], MOVE);
  }
}
