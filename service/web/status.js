// The status page: reads the figures every two seconds, keeps ten minutes of them, and draws what is asked for.

import { $, h } from "./dom.js";
import { parsed } from "./status/exposition.js";
import { cache, experiments, load, process } from "./status/parts.js";
import { drawn, TILES } from "./status/tiles.js";
import { budget, search, stages, traffic } from "./status/traffic.js";
import { Window } from "./status/window.js";

const EVERY_MS = 2000;
const PATIENCE_MS = 5000;
const SMOOTH_S = 10; // of a line: every point looks back so far
const KEPT_S = 600;
const LEAST_S = 60; // that a line shows
const PARTS = { traffic, stages, budget, search, cache, load, experiments };

const readings = new Window();
/** @type {Map<string, {at: number, value: number | null}[]>} */
const lines = new Map(TILES.map(({ name }) => [name, []]));
const state = { paused: false, checks: {}, ready: "unknown", at: 0 };

/** @param {string} address */
async function fetched(address) {
  const response = await fetch(address, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
  if (!response.ok && response.status !== 503) throw new Error(`${address} answered ${response.status}`);
  return response;
}

async function read() {
  const [figures, health] = await Promise.all([fetched("metrics"), fetched("health/ready")]);
  const text = await figures.text();
  if (!figures.ok) throw new Error(`metrics answered ${figures.status}`);
  const { status, checks } = await health.json();
  state.at = performance.now() / 1000;
  Object.assign(state, { checks, ready: status === "ok" ? "yes" : "no" });
  readings.add(parsed(text), state.at);
  for (const { name, line } of TILES) {
    const points = [...(lines.get(name) ?? []), { at: state.at, value: line(readings.last(SMOOTH_S)) }];
    lines.set(name, points.filter(({ at }) => at > state.at - KEPT_S));
  }
}

function draw() {
  const view = readings.last(Number(/** @type {HTMLSelectElement} */ ($("span")).value));
  const oldest = lines.get(TILES[0].name)?.[0]?.at ?? state.at;
  const frame = { now: state.at, span: Math.max(LEAST_S, state.at - oldest) };
  $("tiles").replaceChildren(...TILES.map((tile) => drawn(tile, view, lines.get(tile.name) ?? [], frame)));
  for (const [name, part] of Object.entries(PARTS)) fill(name, part(view));
  fill("process", process(view, state.checks));
  const models = view.all("promise_model_info").map(({ labels }) => `${labels.name} ${labels.version}`);
  $("served").textContent = models.join(", ");
  $("traffic-note").textContent = "quantiles lie between the edges of a histogram";
}

/** New content for a part; whoever had moved into one of its tables stays there. @param {string} name @param {Node[]} content */
function fill(name, content) {
  const body = /** @type {HTMLElement} */ ($(name).querySelector(".body"));
  const before = [...body.querySelectorAll(".scroll")];
  const focused = before.findIndex((one) => one === document.activeElement);
  const moved = before.map((one) => one.scrollLeft);
  body.replaceChildren(...content);
  body.querySelectorAll(".scroll").forEach((one, at) => { one.scrollLeft = moved[at] ?? 0; });
  if (focused >= 0) /** @type {HTMLElement | undefined} */ ([...body.querySelectorAll(".scroll")][focused])?.focus({ preventScroll: true });
}

/** What changed is announced once, not at every reading. @param {string} ready @param {string} text */
function pill(ready, text) {
  const shown = $("ready");
  shown.dataset.ready = ready;
  if (shown.textContent !== text) shown.textContent = text;
}

function head(error) {
  const away = error && (error instanceof TypeError || error.name === "TimeoutError");
  $("main").dataset.state = error ? "away" : state.paused ? "paused" : "live";
  $("trouble").hidden = !error;
  if (error) {
    const said = away ? "The service does not answer." : `${error.message}.`;
    const text = `${said} It is asked again every two seconds; what is shown is older.`;
    if ($("trouble").textContent !== text) $("trouble").textContent = text;
    pill("away", "Not reachable");
    return;
  }
  const why = Object.values(state.checks).filter((check) => !check.ok).map((check) => check.detail).join(", ");
  pill(state.ready, state.ready === "yes" ? "Ready" : `Not ready: ${why}`);
}

function updated() {
  const clock = new Date().toLocaleTimeString("en-GB");
  $("updated").replaceChildren(state.paused ? "paused at " : "read at ", h("span", { class: "mono" }, clock));
}

async function beat() {
  if (!state.paused && !document.hidden) {
    try {
      await read();
      head(null);
      updated();
      draw();
    } catch (error) {
      head(error);
    }
  }
  setTimeout(beat, EVERY_MS);
}

$("pause").addEventListener("click", () => {
  state.paused = !state.paused;
  $("pause").setAttribute("aria-pressed", String(state.paused));
  $("main").dataset.state = state.paused ? "paused" : "live";
  updated();
});
$("span").addEventListener("change", draw);
beat();
