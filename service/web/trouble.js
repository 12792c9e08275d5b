// What went wrong, in a sentence, with a way to ask again.

import { $, h } from "./dom.js";

/**
 * Say it in its place, or nothing any more. Whoever stood on the button finds it again, or else the view it belongs to.
 * @param {HTMLElement} place @param {string | null} said @param {() => void} again
 */
export function say(place, said, again) {
  const inside = place.contains(document.activeElement);
  const button = h("button", { type: "button", onclick: again }, "Try again");
  place.replaceChildren(...(said ? [h("p", { class: "note bad" }, h("span", {}, said), button)] : []));
  if (inside) (said ? button : $("main")).focus({ preventScroll: true });
}
