// Requests and latency by bucket; stages; tiers and their reasons; the search by level.

import { h } from "../dom.js";
import { bar, facts, nothing, stack, table } from "./draw.js";
import { rate, share, time } from "./words.js";

/** @typedef {import("./window.js").View} View */

const DURATION = "promise_request_duration_seconds";
const QUIET = "No recommendation in this time.";
const REASONS = {
  best: "the best of auto", difficulty: "enough for its difficulty", deadline: "its deadline", load: "the load",
  bounds: "its bucket's bounds", frozen: "an operator", requested: "the request", default: "the default", bucket: "its bucket",
  no_history: "no history", expired: "expired in the queue",
};
const OTHER = "Other: reading and checking the request, writing the answer, and waiting for a core meanwhile.";
const STAGES = ["queue", "cache", "encode", "expand", "prune", "items"];
const CLASSES = ["4xx", "5xx"];

/** The largest first. @param {Map<string, number>} counts */
const ranked = (counts) => [...counts].sort(([, a], [, b]) => b - a);

/** @param {View} view */
const recommendations = (view) => view.grown("promise_budget_tier_total");

/** @param {View} view */
export function traffic(view) {
  const buckets = ranked(view.by("promise_requests_total", "bucket"));
  if (!buckets.length) return [nothing("No request in this time.")];
  const target = view.now("promise_target_seconds");
  const rows = buckets.map(([bucket, count]) => {
    const statuses = view.by("promise_requests_total", "status", { bucket });
    const of = (kind) => [...statuses].filter(([status]) => status[0] === kind[0]).reduce((sum, [, one]) => sum + one, 0);
    const late = [0.5, 0.95, 0.99].map((q) => time(view.quantile(DURATION, q, { bucket })?.value ?? null));
    const inTime = share(view.within(DURATION, target, { bucket }));
    return [bucket, rate(count / view.seconds), ...CLASSES.map((kind) => share(of(kind) / count)), ...late, inTime];
  });
  const heads = ["Bucket", "A second", ...CLASSES, "p50", "p95", "p99", `In ${time(target)}`];
  return [
    table("Requests a second, statuses and latency by bucket", heads, rows),
    h("p", { class: "muted nothing" }, "5xx counts refusals (503) too. Latency is that of recommendations. Requests that have no bucket, or were refused before they got one, stand under default."),
  ];
}

/** @param {View} view */
export function stages(view) {
  const total = recommendations(view);
  const spent = view.by("promise_stage_duration_seconds_sum", "stage");
  /** @type {[string, number][]} */
  const sums = STAGES.filter((stage) => spent.has(stage)).map((stage) => [stage, spent.get(stage) ?? 0]);
  if (!total || !sums.length) return [nothing(QUIET)];
  const staged = sums.reduce((sum, [, seconds]) => sum + seconds, 0);
  const whole = Math.max(staged, view.grown(`${DURATION}_sum`));
  sums.push(["other", whole - staged]);
  const rows = sums.map(([stage, seconds], at) => [
    h("span", { class: `key key-${stage === "other" ? "other" : at}` }, stage), `${time(seconds / total)}, ${share(seconds / whole)}`,
  ]);
  return [stack(sums), facts(rows), h("p", { class: "muted nothing" }, OTHER)];
}

/** @param {View} view */
export function budget(view) {
  const total = recommendations(view);
  if (!total) return [nothing(QUIET)];
  const parts = (counts, name) => ranked(counts).map(([value, count]) => [name(value), count / total]);
  const lines = (rows) => h("ul", { class: "shares" }, rows.map(([name, part]) => h("li", {}, h("span", {}, name), bar(part), h("b", {}, share(part)))));
  const ceiling = view.now("promise_budget_ceiling_ratio");
  return [
    lines(parts(view.by("promise_budget_tier_total", "tier"), (tier) => tier)),
    h("h3", {}, "Decided by"), lines(parts(view.by("promise_budget_tier_total", "reason"), (reason) => REASONS[reason] ?? reason)),
    h("h3", {}, "Strategy"), lines(parts(view.by("promise_strategy_total", "strategy"), (strategy) => strategy)),
    facts([["The load leaves auto", `${share(ceiling)} of its walk`, ceiling !== null && ceiling < 1 ? "warn" : ""],
      ...(view.now("promise_budget_frozen") ? [["Frozen", "by an operator", "warn"]] : [])]),
  ];
}

/** @param {View} view */
export function search(view) {
  const total = recommendations(view) - view.grown("promise_strategy_total", { strategy: "none" });
  const levels = [...view.by("promise_beam_candidates_total", "level").keys()].sort((a, b) => Number(a) - Number(b));
  if (!total || !levels.length) return [nothing("No search in this time.")];
  const mean = (value) => (value / total).toFixed(0);
  const rows = levels.map((level) => {
    const [expanded, kept] = ["expanded", "kept"].map((kind) => view.grown("promise_beam_candidates_total", { level, kind }));
    const rescued = view.share(view.grown("promise_prm_rescued_total", { level }), kept);
    const entropy = view.share(view.grown("promise_level_entropy_sum", { level }), view.grown("promise_level_entropy_count", { level }));
    return [level, mean(expanded), mean(kept), h("span", { class: "drawn" }, bar(rescued), share(rescued)), entropy?.toFixed(2) ?? "–"];
  });
  const broken = view.grown("promise_verification_failures_total");
  return [
    table("Prefixes expanded, kept and rescued by level", ["Level", "Expanded", "Kept", "Rescued", "Entropy"], rows),
    h("p", { class: "muted nothing" }, "Rescued by the PRM: kept, though a plain beam of the same width would have cut them. Entropy of the rewards, in nats."),
    facts([["Items that broke a rule", String(Math.round(broken)), broken ? "bad" : "good"]]),
  ];
}
