// The figures one looks at first, each with its last ten minutes.

import { h } from "../dom.js";
import { spark } from "./draw.js";
import { rate, share, time } from "./words.js";

/** @typedef {import("./window.js").View} View */
/** @typedef {{at: number, value: number | null}} Point */
/** @typedef {{name: string, title: string, line: (view: View) => number | null, most?: number, told: (view: View) => [string, string, string?]}} Tile */

const DURATION = "promise_request_duration_seconds";

/** @param {View} view */
const asked = (view) => view.grown("promise_budget_tier_total");

/** @param {View} view @param {number} q */
const quantile = (view, q) => view.quantile(DURATION, q)?.value ?? null;

/** @param {View} view */
function failed(view) {
  const byStatus = [...view.by("promise_requests_total", "status")];
  const bad = byStatus.filter(([status]) => status.startsWith("5")).reduce((sum, [, count]) => sum + count, 0);
  return view.share(bad, view.grown("promise_requests_total"));
}

/** Found in any tier, of what was looked up: a look-up that misses misses in the last tier too. @param {View} view */
export function hits(view) {
  const found = view.grown("promise_cache_requests_total", { result: "hit" });
  const missed = [...view.by("promise_cache_requests_total", "tier")].map(
    ([tier, asked]) => asked - view.grown("promise_cache_requests_total", { tier, result: "hit" }),
  );
  return missed.length ? view.share(found, found + Math.min(...missed)) : null;
}

/** @param {View} view */
const spared = (view) => view.share(view.grown("promise_shed_total"), view.grown("promise_shed_total") + asked(view));

/** @param {View} view */
const degraded = (view) => view.share(view.grown("promise_degraded_total"), asked(view));

/** @param {View} view */
const inFlight = (view) => view.now("promise_requests_in_flight");

/** @type {Tile[]} `told`: the value, what is said below it, and how it is: warn or bad, and whether what is below says so */
export const TILES = [
  {
    name: "requests", title: "Requests a second", line: (view) => view.rate("promise_requests_total"),
    told: (view) => [rate(view.rate("promise_requests_total")), `5xx ${share(failed(view))}`, (failed(view) ?? 0) > 0.001 ? "bad below" : ""],
  },
  {
    name: "p50", title: "Latency, p50", line: (view) => quantile(view, 0.5),
    told: (view) => [time(quantile(view, 0.5)), `p95 ${time(quantile(view, 0.95))}`],
  },
  {
    name: "p99", title: "Latency, p99", line: (view) => quantile(view, 0.99),
    told: (view) => [time(quantile(view, 0.99)), edges(view)],
  },
  {
    name: "hits", title: "Cache hits", most: 1, line: hits,
    told: (view) => [share(hits(view)), breaker(view), view.now("promise_cache_breaker_state") ? "warn below" : ""],
  },
  {
    name: "flight", title: "Requests in flight", line: inFlight,
    told: (view) => [String(inFlight(view) ?? "–"), `of ${view.now("promise_requests_limit") ?? "–"}, ${view.now("promise_queue_depth") ?? "–"} queued`],
  },
  {
    name: "shed", title: "Shed", line: spared,
    told: (view) => [share(spared(view)), `degraded ${share(degraded(view))}`,
      (spared(view) ?? 0) > 0.01 ? "bad" : (degraded(view) ?? 0) > 0.2 ? "warn below" : ""],
  },
];

/** @param {View} view */
function edges(view) {
  const found = view.quantile(DURATION, 0.99);
  if (!found) return "\u00a0";
  return found.high === Infinity ? `above ${time(found.low)}` : `in ${(1000 * found.low).toFixed(0)}–${(1000 * found.high).toFixed(0)} ms`;
}

/** @param {View} view */
function breaker(view) {
  const state = view.now("promise_cache_breaker_state");
  return state === null ? "in memory only" : ["Redis in use", "Redis being tried again", "Redis left alone"][state];
}

/** @param {Tile} tile @param {View} view @param {Point[]} points @param {{now: number, span: number}} frame */
export function drawn({ name, title, most, told }, view, points, frame) {
  const [value, below, state] = told(view);
  return h("div", { class: "panel tile", "data-figure": name, "data-state": state || false },
    h("h2", {}, title), h("p", { class: "value" }, value), h("p", { class: "muted below" }, below), spark(points, { ...frame, most }));
}
