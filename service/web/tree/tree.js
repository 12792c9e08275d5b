// The search tree on the page: drawn to the room there is, walked by keys, one node looked at, one path chosen.

import { $, h } from "../dom.js";
import { draw, legend } from "./draw.js";
import { layout } from "./layout.js";
import { build, keyOf, parentOf, pathTo } from "./model.js";
import { nodePanel } from "./panel.js";
import { treeTable } from "./table.js";

const ROW = 27;
const ROW_TOUCH = 44;
const SILENT = {
  exact: "A scan scores every item at once: there is no search to draw. Choose any other tier.",
  popularity: "Nothing was searched: the most popular items are recommended.",
};

/** @param {import("../items.js").Items} items @param {(id: string) => void} choose an item whose leaf was selected */
export function searchTree(items, choose) {
  const body = $("tree");
  const table = /** @type {HTMLDetailsElement} */ ($("tree-table"));
  /** @type {import("./model.js").TreeLevel[]} */
  let levels = [];
  let places = layout([], 1, ROW);
  let chosen = "";
  let width = 0;

  const elements = () => /** @type {SVGElement[]} */ ([...body.querySelectorAll(".node")]);
  const elementOf = (key) => elements().find((element) => element.dataset.key === key);

  /** Show what is known of a node. */
  function look(key) {
    const node = places.placed.get(key)?.node ?? null;
    $("node").replaceChildren(...nodePanel(node, node && levels[node.level - 1], items));
  }

  function mark() {
    const path = new Set(pathTo(chosen));
    for (const element of elements()) {
      element.classList.toggle("on", path.has(element.dataset.key));
      element.setAttribute("aria-pressed", String(element.dataset.key === chosen));
      element.setAttribute("tabindex", "-1");
    }
    for (const link of body.querySelectorAll(".link")) link.classList.toggle("on", path.has(link.dataset.to));
    (elementOf(chosen) ?? elements()[0])?.setAttribute("tabindex", "0");
    look(chosen);
  }

  function select(key) {
    chosen = key;
    mark();
    const node = places.placed.get(key)?.node;
    if (node?.level === levels.length && node.items.length) choose(node.items[0]);
  }

  function paint() {
    width = Math.max(280, body.clientWidth);
    places = layout(levels, width, matchMedia("(pointer: coarse)").matches ? ROW_TOUCH : ROW);
    body.replaceChildren(draw(places, levels, items, width), legend());
    mark();
  }

  function step(key, arrow) {
    const { node } = places.placed.get(key);
    const column = [...places.placed.values()]
      .filter((place) => place.node.level === node.level)
      .map((place) => place.node.key);
    const at = column.indexOf(key);
    const child = () =>
      [...pathTo(chosen), ...places.placed.keys()].find((other) => parentOf(other) === key && places.placed.has(other));
    const to = {
      ArrowUp: () => column[at - 1],
      ArrowDown: () => column[at + 1],
      ArrowLeft: () => parentOf(key),
      ArrowRight: child,
      Home: () => column[0],
      End: () => column.at(-1),
    }[arrow]?.();
    const element = to ? elementOf(to) : null;
    for (const other of element ? elements() : []) other.setAttribute("tabindex", other === element ? "0" : "-1");
    element?.focus();
  }

  const keyAt = (event) => event.target.closest?.(".node")?.dataset.key;
  body.addEventListener("focusin", (event) => keyAt(event) && look(keyAt(event)));
  body.addEventListener("pointerover", (event) => keyAt(event) && look(keyAt(event)));
  body.addEventListener("pointerleave", () => look(body.querySelector(".node:focus")?.dataset.key ?? chosen));
  body.addEventListener("click", (event) => keyAt(event) && select(keyAt(event)));
  body.addEventListener("keydown", (event) => {
    const key = keyAt(event);
    if (!key || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Enter" || event.key === " ") select(key);
    else if (/^(Arrow|Home|End)/.test(event.key)) step(key, event.key);
    else return;
    event.preventDefault();
  });
  table.addEventListener("toggle", () => fill());
  new ResizeObserver(() => levels.length && Math.abs(body.clientWidth - width) > 1 && paint()).observe(body);

  function fill() {
    table.querySelector(".scroll")?.remove();
    if (table.open && levels.length) table.append(treeTable(levels, items));
  }

  return {
    /** @param {any} answer explained @param {string} item whose path is shown @param {AbortSignal} signal */
    async draw(answer, item, signal) {
      const next = build(answer, item);
      await items.learnPrefixes(
        next.flatMap((level) => level.nodes.map((node) => node.key)),
        signal,
      );
      levels = next;
      table.hidden = !levels.length;
      if (levels.length) {
        chosen = keyOf(items.of(item)?.sid ?? answer.items[0]?.sid ?? []);
        paint();
      } else {
        body.replaceChildren(
          h("p", { class: "muted silent" }, SILENT[answer.source] ?? "The time was over before a first level."),
        );
        $("node").replaceChildren();
      }
      fill();
    },
    /** @param {string} item */
    choose(item) {
      const key = keyOf(items.of(item)?.sid ?? []);
      if (!levels.length || chosen === key) return;
      chosen = key;
      mark();
    },
    /** Is there a node for it? @param {string} item */
    has: (item) => places.placed.has(keyOf(items.of(item)?.sid ?? [])),
  };
}
