// The key of a caller, where the service wants one: kept as long as this tab, sent with every call, shown nowhere.

import { h } from "./dom.js";

const NAME = "promise-api-key";
let key = stored();

/** A browser may refuse storage; then the key lasts as long as the page. */
function stored() {
  try {
    return sessionStorage.getItem(NAME) ?? "";
  } catch {
    return "";
  }
}

/** @param {string} given */
function keep(given) {
  key = given;
  try {
    sessionStorage.setItem(NAME, key);
  } catch {
    /* nothing to keep it in */
  }
}

/** Whether there is one. */
export const given = () => key !== "";

/** Whether an answer of this status asks for one, or for one that may more. @param {number} status */
export const wanted = (status) => status === 401 || (status === 403 && given());

/** @returns {Record<string, string>} */
export const headers = () => (given() ? { "X-API-Key": key } : {});

/** Asks for it, then goes on. @param {() => void} again */
export function question(again) {
  const field = /** @type {HTMLInputElement} */ (
    h("input", { id: "api-key", type: "password", required: true, pattern: "[!-~]+", autocomplete: "off" })
  );
  const answered = (event) => {
    event.preventDefault();
    keep(field.value);
    again();
  };
  const label = h("label", { for: "api-key" }, "API key");
  return h("form", { class: "key", onsubmit: answered }, label, field, h("button", { type: "submit" }, "Use it"));
}
