// The knob: one stop for `auto`, one for every tier, each with what it costs at the moment; and the strategies.

import { $, h } from "./dom.js";
import { ms } from "./format.js";
import { AUTO, EXACT } from "./request.js";

/** @typedef {{name: string, k_keep: number, k_plus: number, ms: number | null}} Tier */

/** What a tier's widths are, as people say them. @param {Tier | undefined} tier */
export function widths(tier) {
  if (!tier) return "chooses a tier for every request";
  const cost = tier.ms === null ? "" : `, about ${ms(tier.ms)} ms`;
  if (tier.name === EXACT) return `scores every item${cost}`;
  return tier.k_keep === tier.k_plus
    ? `beam of ${tier.k_keep}, no PRM${cost}`
    : `K′ ${tier.k_keep} of K+ ${tier.k_plus}${cost}`;
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
  const tiers = new Map(bundle.tiers.map((tier) => [tier.name, tier]));
  const stops = names.map((name) => stop(name, tiers.get(name), dearest(bundle.tiers), () => write({ tier: name })));

  slider.max = String(names.length - 1);
  $("stops").replaceChildren(...stops);
  $("ladder").style.setProperty("--stops", String(names.length));
  select.replaceChildren(...strategies(bundle.strategies, plain));
  slider.addEventListener("input", () => write({ tier: names[Number(slider.value)] }));
  select.addEventListener("change", () => write({ strategy: select.value }));

  return {
    /** @param {{tier: string, strategy: string}} state */
    draw({ tier, strategy }) {
      const at = Math.max(0, names.indexOf(tier));
      const said = widths(tiers.get(names[at]));
      slider.value = String(at);
      slider.setAttribute("aria-valuetext", `${names[at]}, ${said}`);
      $("knob-said").textContent = `${names[at]}: ${said}`;
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

const dearest = (tiers) => Math.max(1, ...tiers.map((tier) => tier.ms ?? 0));

/** A column of the ladder: cost, a bar as high as its logarithm, and the name. */
function stop(name, tier, most, choose) {
  const known = tier !== undefined && tier.ms !== null;
  const bar = h("span", { class: "height" });
  bar.style.height = known ? `${(100 * Math.log1p(4 * tier.ms)) / Math.log1p(4 * most)}%` : "0";
  return h(
    "span",
    { class: "stop", "data-tier": name, onclick: choose },
    h("span", { class: "cost" }, known ? ms(tier.ms) : name === AUTO ? "\u00a0" : "–"),
    h("span", { class: "shaft" }, bar),
    h("span", { class: "tier" }, name),
  );
}
