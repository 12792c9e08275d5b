// The knob: one stop for `auto`, one for every tier, each with what it costs at the moment; and the strategies.

import { $, h } from "./dom.js";
import { count, ms } from "./format.js";
import { AUTO, EXACT } from "./request.js";

/** @typedef {{name: string, k_keep: number, k_plus: number, ms: number | null}} Tier */

/** What a tier's widths are, as people say them. @param {Tier | undefined} tier */
export function widths(tier) {
  if (!tier) return "chooses a tier for every request";
  const cost = tier.ms === null ? "" : `, about ${ms(tier.ms)} ms`;
  if (tier.name === EXACT) return `scores every item${cost}`;
  return tier.k_keep === tier.k_plus
    ? `beam of ${tier.k_keep}, no PRM${cost}`
    : `K′ ${count(tier.k_keep)} of K+ ${count(tier.k_plus)}${cost}`;
}

/**
 * @param {{tiers: Tier[], walk: string[], strategies: string[]}} bundle
 * @param {string} plain the service's own strategy
 * @param {(patch: object) => void} write
 */
export function knob(bundle, plain, write) {
  const slider = /** @type {HTMLInputElement} */ ($("budget"));
  const select = /** @type {HTMLSelectElement} */ ($("strategy"));
  const names = [AUTO, ...bundle.tiers.map((tier) => tier.name)];
  const stops = names.map((name) => stop(name, () => write({ tier: name })));
  let tiers = new Map();
  let chosen = AUTO;

  slider.max = String(names.length - 1);
  $("stops").replaceChildren(...stops);
  $("ladder").style.setProperty("--stops", String(names.length));
  select.replaceChildren(...strategies(bundle.strategies, plain));
  slider.addEventListener("input", () => write({ tier: names[Number(slider.value)] }));
  select.addEventListener("change", () => write({ strategy: select.value }));

  function say() {
    const said = chosen === AUTO || tiers.has(chosen) ? widths(tiers.get(chosen)) : "no tier of this bundle";
    slider.setAttribute("aria-valuetext", `${chosen}, ${said}`);
    $("knob-said").textContent = `${chosen}: ${said}`;
  }

  /** What the tiers cost by now. @param {Tier[]} all */
  function price(all) {
    const most = Math.max(1, ...all.map((tier) => tier.ms ?? 0));
    tiers = new Map(all.map((tier) => [tier.name, tier]));
    stops.forEach((element, place) => cost(element, tiers.get(names[place]), most));
    say();
  }

  price(bundle.tiers);
  return {
    price,
    /** @param {{tier: string, strategy: string}} state */
    draw({ tier, strategy }) {
      const at = names.indexOf(tier);
      slider.value = String(Math.max(0, at));
      chosen = tier;
      say();
      select.value = strategy;
      select.disabled = tier === EXACT;
      select.title = tier === EXACT ? "A scan takes no strategy" : "How the search spends its budget";
      stops.forEach((element, place) => element.classList.toggle("on", place === at));
    },
    /** Mark the tier that answered, which `auto` chose. @param {string | null} name */
    served(name) {
      stops.forEach((element, place) => element.classList.toggle("served", names[place] === name));
    },
  };
}

/** The options of a strategy select; the first one leaves the choice to the service. */
export const strategies = (names, plain) => [
  h("option", { value: "" }, `${plain} (default)`),
  ...names.filter((name) => name !== plain).map((name) => h("option", { value: name }, name)),
];

/** A column of the ladder: what the tier costs, the same as a bar, and its name. */
const stop = (name, choose) =>
  h(
    "span",
    { class: "stop", "data-tier": name, onclick: choose },
    h("span", { class: "cost" }, name === AUTO ? "ms" : "–"),
    h("span", { class: "shaft" }, h("span", { class: "height" })),
    h("span", { class: "tier" }, name),
  );

/** A bar is as high as the logarithm of the cost. @param {HTMLElement} element @param {Tier | undefined} tier */
function cost(element, tier, most) {
  const known = tier?.ms ?? null;
  element.querySelector(".height").style.height =
    known === null ? "0" : `${(100 * Math.log1p(4 * known)) / Math.log1p(4 * most)}%`;
  if (tier) element.querySelector(".cost").textContent = ms(known);
}
