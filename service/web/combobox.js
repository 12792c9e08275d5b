// The search for items: a text field with a list, after the ARIA combobox pattern. The focus stays in the field.

import { get, Latest } from "./api.js";
import { $, debounced, h } from "./dom.js";
import { plural } from "./format.js";

const LIMIT = 20;
const PAUSE_MS = 120;

/** @param {import("./items.js").Items} items @param {(id: string) => void} add @param {() => string[]} chosen */
export function combobox(items, add, chosen) {
  const input = /** @type {HTMLInputElement} */ ($("search"));
  const list = $("search-list");
  const status = $("search-status");
  const latest = new Latest();
  let at = -1;

  const options = () => /** @type {HTMLElement[]} */ ([...list.querySelectorAll("[role=option]")]);

  function point(to) {
    options()[at]?.setAttribute("aria-selected", "false");
    at = to;
    const option = options()[at];
    option?.setAttribute("aria-selected", "true");
    option?.scrollIntoView({ block: "nearest" });
    if (option) input.setAttribute("aria-activedescendant", option.id);
    else input.removeAttribute("aria-activedescendant");
  }

  function open(shown) {
    list.hidden = !shown;
    input.setAttribute("aria-expanded", String(shown));
    if (!shown) {
      point(-1);
      latest.stop();
    }
  }

  function take(id) {
    add(id);
    input.value = "";
    open(false);
    input.focus();
  }

  function show(found, total) {
    items.keep(found);
    const here = new Set(chosen());
    list.replaceChildren(
      ...found.map((item, place) => option(items, item.item_id, place, here.has(item.item_id), take)),
    );
    if (!found.length)
      list.append(h("li", { class: "muted none", role: "presentation" }, "No item has all of these words."));
    else if (total > found.length) {
      list.append(
        h(
          "li",
          { class: "muted none", role: "presentation" },
          `${plural(total - found.length, "more item")}: add a word.`,
        ),
      );
    }
    status.textContent = plural(total, "item");
    point(-1);
    open(true);
  }

  function failed(error) {
    list.replaceChildren(h("li", { class: "none", role: "presentation" }, error.message));
    status.textContent = error.message;
    open(true);
  }

  const search = () =>
    latest.run(async (signal) => {
      const { items: found, total } = await get(
        `catalogue/items?limit=${LIMIT}&q=${encodeURIComponent(input.value.trim())}`,
        signal,
      );
      show(found, total);
    }, failed);
  const soon = debounced(search, PAUSE_MS);

  const keys = {
    ArrowDown: () => (list.hidden ? search() : point((at + 1) % options().length)),
    ArrowUp: () => (list.hidden ? search() : point((at <= 0 ? options().length : at) - 1)),
    Escape: () => (list.hidden ? (input.value = "") : open(false)),
    Enter: () => {
      const option = options()[at] ?? (options().length === 1 ? options()[0] : null);
      if (!list.hidden && option) take(option.dataset.id);
    },
  };

  input.addEventListener("input", soon);
  input.addEventListener("click", () => list.hidden && search());
  input.addEventListener("blur", () => open(false));
  input.addEventListener("keydown", (event) => {
    if (!(event.key in keys) || event.isComposing) return;
    event.preventDefault();
    keys[event.key]();
  });
  list.addEventListener("mousedown", (event) => event.preventDefault()); // keep the focus in the field
}

function option(items, id, place, chosen, take) {
  return h(
    "li",
    { role: "option", id: `found-${place}`, "aria-selected": "false", "data-id": id, onclick: () => take(id) },
    h("span", { class: "name" }, items.name(id)),
    h("span", { class: "detail mono" }, chosen ? `in the history  ${items.detail(id)}` : items.detail(id)),
  );
}
