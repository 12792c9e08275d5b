// The history: what the user met, newest first on the page, oldest first in a request. Every step works by key.

import { $, h, held } from "./dom.js";
import { count, plural } from "./format.js";

const MOVES = { ArrowUp: 1, ArrowDown: -1 }; // towards the newest, towards the oldest

/** @param {import("./items.js").Items} items @param {() => string[]} read @param {(history: string[]) => void} write */
export function historyPanel(items, read, write) {
  const list = $("history");
  /** @type {{history: string[], said: string} | null} what became of it in an answer */
  let told = null;

  /** Write, say what happened, and keep the focus where the reader's hand is. */
  function change(history, said, focus) {
    const control = held(list)?.control ?? 0;
    write(history);
    $("history-status").textContent = said;
    if (!history.length) return $("search").focus();
    const controls = /** @type {HTMLCollectionOf<HTMLButtonElement>} */ (
      list.children[Math.min(focus, history.length - 1)].children
    );
    return (controls[control]?.disabled ? controls[0] : controls[control])?.focus();
  }

  function move(at, by) {
    const history = [...read()];
    const to = at + by;
    if (to < 0 || to >= history.length) return;
    [history[at], history[to]] = [history[to], history[at]];
    change(
      history,
      `${items.name(history[to])} is now ${history.length - to} of ${history.length}, newest first.`,
      history.length - 1 - to,
    );
  }

  function remove(at) {
    const history = read().filter((_, place) => place !== at);
    change(history, `${items.name(read()[at])} removed.`, read().length - 1 - at);
  }

  function onkey(at, event) {
    if (event.key === "Delete" || event.key === "Backspace") remove(at);
    else if (event.altKey && event.key in MOVES) move(at, MOVES[event.key]);
    else if (event.key in MOVES) {
      const next = event.key === "ArrowUp" ? "previousElementSibling" : "nextElementSibling";
      event.currentTarget.closest("li")[next]?.querySelector(".chip").focus();
    } else return;
    event.preventDefault();
  }

  function chip(id, at, length) {
    const name = items.name(id);
    const tool = (label, sign, action, off) =>
      h(
        "button",
        {
          type: "button",
          class: "quiet tool",
          "aria-label": `${label}: ${name}`,
          title: label,
          disabled: off,
          onclick: action,
        },
        sign,
      );
    return h(
      "li",
      {},
      h(
        "button",
        {
          type: "button",
          class: "chip",
          "data-id": id,
          title: "Arrows walk, Alt and arrows move, Delete removes",
          "aria-keyshortcuts": "Alt+ArrowUp Alt+ArrowDown Delete",
          onkeydown: (event) => onkey(at, event),
        },
        h("span", { class: "name" }, name),
        h("span", { class: "detail mono" }, items.detail(id)),
      ),
      tool("Newer", "↑", () => move(at, 1), at === length - 1),
      tool("Older", "↓", () => move(at, -1), at === 0),
      tool("Remove", "×", () => remove(at), false),
    );
  }

  return {
    draw() {
      const history = read();
      const chips = history.map((id, at) => chip(id, at, history.length)).reverse();
      const kept = held(list);
      const nothing = h("li", { class: "muted none" }, "Empty: what most people took will be recommended.");
      list.replaceChildren(...(chips.length ? chips : [nothing]));
      if (kept) list.children[kept.row]?.children[kept.control]?.focus({ preventScroll: true });
      const length = history.length ? `${plural(history.length, "item")}, newest first` : "";
      $("history-count").textContent = told?.history === history ? told.said : length;
      /** @type {HTMLButtonElement} */ ($("clear")).disabled = !history.length;
    },
    /** Say where an answer left out some of it. @param {{used: number, unknown: number, truncated: number}} answered */
    used({ used, unknown, truncated }) {
      if (!unknown && !truncated) return;
      const history = read();
      const parts = [
        truncated && `newest ${count(used)} of ${count(history.length)} used`,
        unknown && `${count(unknown)} of ${count(history.length)} unknown`,
      ];
      told = { history, said: parts.filter(Boolean).join(", ") };
      $("history-count").textContent = told.said;
    },
  };
}
