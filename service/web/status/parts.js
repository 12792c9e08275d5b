// Cache, load, experiments, and the process itself.

import { h } from "../dom.js";
import { bar, facts, nothing, table } from "./draw.js";
import { bytes, duration, rate, share, signed, time } from "./words.js";

/** @typedef {import("./window.js").View} View */

const BREAKER = ["in use", "being tried again", "left alone after failures"];
const BROKEN_P = 0.001;

/** @param {View} view */
export function cache(view) {
  const tiers = [...view.by("promise_cache_requests_total", "tier")];
  const lines = tiers.map(([tier, asked]) => {
    const part = view.share(view.grown("promise_cache_requests_total", { tier, result: "hit" }), asked);
    return h("li", {}, h("span", {}, `${tier}, ${rate(asked / view.seconds)} a second`), bar(part), h("b", {}, share(part)));
  });
  const state = view.now("promise_cache_breaker_state");
  const lost = view.grown("promise_cache_write_errors_total") + view.grown("promise_cache_writes_dropped_total");
  const remote = state === null ? [["Redis", "not configured"]] : [
    ["Redis", BREAKER[state], state ? "bad" : "good"],
    ["Written to Redis, a second", rate(view.rate("promise_cache_writes_total"))],
    ["Writes lost", String(Math.round(lost)), lost ? "warn" : ""],
  ];
  return [
    lines.length ? h("ul", { class: "shares" }, lines) : nothing("No look-up in this time."),
    facts([["In memory", `${view.now("promise_cache_entries") ?? "–"}, ${bytes(view.now("promise_cache_bytes"))}`], ...remote]),
  ];
}

/** @param {View} view */
export function load(view) {
  const batches = view.share(view.grown("promise_batch_size_sum"), view.grown("promise_batch_size_count"));
  const reasons = (name) => [...view.by(name, "reason")].map(([reason, count]) => `${Math.round(count)} ${reason.replaceAll("_", " ")}`);
  const [shed, degraded] = ["promise_shed_total", "promise_degraded_total"].map(reasons);
  const busy = view.now("promise_device_busy_seconds");
  return [facts([
    ["Waiting for the device", String(view.now("promise_queue_depth") ?? "–")],
    ["In flight", `${view.now("promise_requests_in_flight") ?? "–"} of ${view.now("promise_requests_limit") ?? "–"}`],
    ["Mean batch", batches === null ? "–" : batches.toFixed(1)],
    ["Shed", shed.join(", ") || "none", shed.length ? "bad" : "good"],
    ["Degraded", degraded.join(", ") || "none", degraded.length ? "warn" : "good"],
    ["Age of the batch on the device", time(busy), (busy ?? 0) > 30 ? "bad" : ""],
    ["Target, deadline", `${time(view.now("promise_target_seconds"))}, ${time(view.now("promise_deadline_seconds"))}`],
  ])];
}

/** @param {View} view */
export function experiments(view) {
  const names = [...new Set(view.all("promise_experiment_srm_p").map(({ labels }) => labels.experiment))];
  if (!names.length) return [nothing("No experiment is running. PROMISE_EXPERIMENTS names the file of experiments.")];
  return names.flatMap((experiment) => [h("h3", {}, experiment), split(view, experiment), lifts(view, experiment)]);
}

/** @param {View} view @param {string} experiment */
function split(view, experiment) {
  const p = view.now("promise_experiment_srm_p", { experiment });
  const met = [...view.by("promise_exposures_total", "bucket", { experiment })].map(([bucket, count]) => `${bucket} ${Math.round(count)}`);
  return facts([
    ["Split as the weights say?", p === null ? "–" : p < BROKEN_P ? `no, p = ${p.toPrecision(2)}: lifts mean nothing` : `nothing speaks against it, p = ${p.toPrecision(2)}`,
      p !== null && p < BROKEN_P ? "bad" : "good"],
    ["Exposures in this time", met.join(", ") || "none"],
  ]);
}

/** @param {View} view @param {string} experiment */
function lifts(view, experiment) {
  const found = view.all("promise_experiment_lift", { experiment, scale: "relative" });
  const pairs = [...new Set(found.map(({ labels }) => `${labels.bucket} ${labels.event}`))].sort();
  if (!pairs.length) return nothing("No lift yet: it takes feedback in the control and in another bucket.");
  const rows = pairs.map((pair) => {
    const of = (bound) => found.find(({ labels }) => `${labels.bucket} ${labels.event}` === pair && labels.bound === bound)?.value;
    const [low, high] = [of("low"), of("high")];
    const said = low === undefined || high === undefined ? "too early" : low > 0 ? "better" : high < 0 ? "worse" : "no difference shown";
    return [...pair.split(" "), signed(of("estimate")), `${signed(low)} to ${signed(high)}`, said];
  });
  return table(`Lifts of ${experiment} over its control`, ["Bucket", "Event", "Lift", "Always-valid interval", "So far"], rows);
}

/** @param {View} view @param {{[name: string]: {ok: boolean, detail: string}}} checks */
export function process(view, checks) {
  const started = view.now("process_start_time_seconds");
  const lost = view.grown("promise_events_dropped_total");
  return [facts([
    ...Object.entries(checks).map(([name, { ok, detail }]) => [name[0].toUpperCase() + name.slice(1), detail, ok ? "good" : "bad"]),
    ...view.all("promise_catalogue_items").map(({ labels, value }) => [`Items in ${labels.bundle}`, value.toLocaleString("en")]),
    ["Cores in use", view.rate("process_cpu_seconds_total")?.toFixed(2) ?? "–"],
    ["Memory", bytes(view.now("process_resident_memory_bytes"))],
    ["Running for", started === null ? "–" : duration(Date.now() / 1000 - started)],
    ["Events lost", String(Math.round(lost)), lost ? "bad" : ""],
  ])];
}
