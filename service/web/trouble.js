// What went wrong, in a sentence, with a way to ask again.

import { $, h } from "./dom.js";
import { question, wanted } from "./key.js";

/** @typedef {import("./api.js").Refusal} Refusal */

/**
 * Say it in its place, or nothing any more. Whoever stood on the button finds it again, or else the view it belongs to.
 * Where the service wants a key, or another one, it is asked for.
 * @param {HTMLElement} place @param {Refusal | null} error @param {() => void} again @param {string} [more] said after it
 */
export function say(place, error, again, more = "") {
  const inside = place.contains(document.activeElement);
  if (!error) {
    place.replaceChildren();
    if (inside) $("main").focus({ preventScroll: true });
    return;
  }
  const button = h("button", { type: "button", onclick: again }, "Try again");
  const way = wanted(error.status) ? question(again) : button;
  place.replaceChildren(h("div", { class: "note bad" }, h("span", {}, `${error.message}${more}`), way));
  if (inside) /** @type {HTMLElement} */ (way.querySelector("input") ?? way).focus({ preventScroll: true });
}
