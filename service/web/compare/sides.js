// What each side of a comparison runs, as its short text in the address and as what a request needs.

import { h } from "../dom.js";

/** @typedef {{bucket: string, tier: string, strategy: string}} Side */

/** `experiment=bucket`, or `tier`, or `tier:strategy`. @param {string} text @returns {Side} */
export function sideOf(text) {
  if (text.includes("=")) return { bucket: text, tier: "", strategy: "" };
  const [tier, strategy = ""] = text.split(":");
  return { bucket: "", tier, strategy };
}

/** @param {Side} side */
export const textOf = ({ bucket, tier, strategy }) => bucket || (strategy ? `${tier}:${strategy}` : tier);

/** The bundle that a side asks, if it is not the default one. @param {any[]} experiments @param {string} text */
export function bundleOf(experiments, text) {
  const buckets = experiments.flatMap((one) =>
    one.buckets.map((bucket) => [`${one.name}=${bucket.name}`, bucket.overrides.bundle]),
  );
  return new Map(buckets).get(text) ?? null;
}

/**
 * Two sides worth seeing first: the first experiment's first buckets, else the plain beam and the dearest of the walk.
 */
export function firstSides(experiments, bundle) {
  const buckets = experiments[0]?.buckets ?? [];
  if (buckets.length > 1) return buckets.slice(0, 2).map((bucket) => `${experiments[0].name}=${bucket.name}`);
  return [bundle.tiers[0]?.name ?? "auto", bundle.walk.at(-1) ?? "auto"];
}

/** What a bucket changes, in words. @param {{overrides: Record<string, any>}} bucket */
export function overridesOf({ overrides }) {
  const said = Object.entries(overrides)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name} ${typeof value === "object" ? Object.entries(value).flat().join(" ") : value}`);
  return said.join(", ") || "changes nothing";
}

/** The choices of one side. @param {any[]} experiments @param {string[]} tiers */
export const choices = (experiments, tiers) => [
  ...experiments.map((one) =>
    h(
      "optgroup",
      { label: `Experiment ${one.name}` },
      one.buckets.map((bucket) =>
        h("option", { value: `${one.name}=${bucket.name}` }, `${bucket.name}: ${overridesOf(bucket)}`),
      ),
    ),
  ),
  h(
    "optgroup",
    { label: "Tier" },
    ["auto", ...tiers].map((tier) => h("option", { value: tier }, tier)),
  ),
];
