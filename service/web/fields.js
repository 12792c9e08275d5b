// The smaller fields: how many items, which category, by when; and the samples.

import { $, h } from "./dom.js";

/**
 * @param {import("./items.js").Items} items
 * @param {string[][]} samples made histories
 * @param {(patch: object) => void} write
 */
export function fields(items, samples, write) {
  const k = /** @type {HTMLInputElement} */ ($("k"));
  const category = /** @type {HTMLInputElement} */ ($("category"));
  const deadline = /** @type {HTMLInputElement} */ ($("deadline"));
  let sample = 0;
  let known = 0;

  /** What was typed becomes what is asked, also where that is what was asked before. */
  function enter(field, name, value) {
    field.value = String(value);
    write({ [name]: value });
  }

  k.addEventListener("change", () => enter(k, "k", Math.min(100, Math.max(1, Math.round(Number(k.value)) || 10))));
  category.addEventListener("change", () => enter(category, "category", category.value.trim()));
  deadline.addEventListener("change", () => {
    const wanted = Math.min(600_000, Math.round(Number(deadline.value)));
    enter(deadline, "deadline", wanted >= 1 ? String(wanted) : "");
  });

  $("sample").addEventListener("click", () => {
    sample = (sample + 1) % samples.length;
    write({ history: samples[sample], item: "" });
    $("history-status").textContent = `Sample user ${sample + 1} of ${samples.length}.`;
  });
  $("clear").addEventListener("click", () => {
    write({ history: [], item: "" });
    $("history-status").textContent = "The history is empty.";
    $(samples.length ? "sample" : "search").focus(); // what was clicked can no longer be
  });
  /** @type {HTMLButtonElement} */ ($("sample")).disabled = !samples.length;

  return {
    /** @param {import("./state.js").State} state */
    draw(state) {
      k.value = String(state.k);
      category.value = state.category;
      deadline.value = state.deadline;
    },
    /** Offer the categories that have been seen by now. */
    learned() {
      const paths = items.categories();
      if (paths.length === known) return;
      known = paths.length;
      $("categories").replaceChildren(...paths.map((path) => h("option", { value: path })));
    },
  };
}
