// What one call took and what it computed, in four tiles.

import { $, h, svg } from "./dom.js";
import { count, ms, plural } from "./format.js";

const REASONS = {
  requested: "as asked",
  default: "the service's default",
  bucket: "the bucket's tier",
  frozen: "frozen by an operator",
  best: "best that may be chosen",
  difficulty: "enough for how hard it is",
  deadline: "what the deadline allows",
  load: "lowered by load",
  bounds: "the bucket's bounds",
  no_history: "no history to search with",
  expired: "too late for any search",
};
const CACHE = {
  hit: "encoding cached",
  miss: "encoded now",
  off: "no encoding needed",
  error: "cache failed",
};

/** Why this tier, in words. @param {{reason: string}} budget */
export const reason = (budget) => REASONS[budget.reason] ?? budget.reason;

/** Was the history encoded for this call? @param {{cache: string}} answer */
export const cached = (answer) => CACHE[answer.cache] ?? answer.cache;

/** Candidates over all levels of an explained answer; null where there was no search. @param {any} answer */
export function computed(answer) {
  const levels = answer?.search?.levels;
  if (!levels?.length) return null;
  const sum = (name) => levels.reduce((total, level) => total + level[name], 0);
  return { expanded: sum("expanded"), kept: sum("kept"), rescued: sum("rescued") };
}

/**
 * @param {{answer: any, ms: number} | null} asked
 * @param {any} opened the explained answer
 * @param {import("./session.js").Session} session
 */
export function drawFigures(asked, opened, session) {
  $("figures").replaceChildren(time(asked), compute(asked?.answer, opened), tier(asked?.answer), sessionTile(session));
}

const tile = (id, name, value, unit, ...rest) =>
  h(
    "div",
    { class: "panel tile", id },
    h("h3", {}, name),
    h("p", { class: "value" }, h("b", {}, value), " ", h("span", { class: "muted" }, unit)),
    ...rest,
  );

const line = (text, title) => h("p", { class: "muted line", title: title ?? text }, text);

function time(asked) {
  const times = asked?.answer.timings_ms;
  const title =
    "The plain call alone. The search tree comes from a second, explained call, which takes several times longer.";
  return tile(
    "tile-time",
    "This call",
    ms(asked?.ms),
    "ms",
    line(times ? `${ms(times.total)} ms in the service` : "–", title),
    stages(times),
  );
}

/** Stage times as parts of the service's total; what no stage accounts for stays empty. */
function stages(times) {
  const names = Object.keys(times ?? {}).filter((name) => name !== "total");
  const total = Math.max(
    times?.total ?? 1,
    names.reduce((sum, name) => sum + times[name], 0),
  );
  const said = names.map((name) => `${name} ${ms(times[name])}`).join(", ");
  let left = 0;
  const parts = names.map((name, at) => {
    const x = left;
    left += (100 * times[name]) / total;
    return svg(
      "rect",
      { x, y: 0, width: left - x, height: 8, class: `stage-${at % 3}` },
      svg("title", {}, `${name} ${ms(times[name])} ms`),
    );
  });
  const bar = svg(
    "svg",
    {
      class: "stages",
      viewBox: "0 0 100 8",
      preserveAspectRatio: "none",
      role: "img",
      "aria-label": said ? `Stages in ms: ${said}` : "No stages yet",
    },
    svg("rect", { width: 100, height: 8, class: "rest" }),
    parts,
  );
  return h("div", {}, bar, h("p", { class: "muted line two" }, said || "\u00a0"));
}

function compute(answer, opened) {
  const sums = computed(opened);
  const { k_keep: keep = 0, k_plus: plus = 0 } = answer?.budget ?? {};
  const searched = answer?.source === "search";
  if (answer && !searched) {
    const what = answer.source === "exact" ? "every item was scored" : "the most popular items";
    return tile("tile-compute", "Compute", "–", "no search", line(what), line("\u00a0"));
  }
  return tile(
    "tile-compute",
    "Compute",
    sums ? count(sums.expanded) : "–",
    "candidates",
    line(
      sums ? `${count(sums.kept)} kept, ${count(sums.rescued)} rescued` : "\u00a0",
      "Summed over the levels of the explained call",
    ),
    line(
      answer ? `K′ ${count(keep)} of K+ ${count(plus)}` : "\u00a0",
      "Widths of the last level; a bundle may have others above, as the tree shows",
    ),
  );
}

function tier(answer) {
  const budget = answer?.budget;
  return tile(
    "tile-tier",
    "Tier served",
    budget?.tier ?? "–",
    answer?.degraded ? "degraded" : budget?.strategy === "none" ? "" : (budget?.strategy ?? ""),
    line(budget ? reason(budget) : "\u00a0"),
    line(answer ? cached(answer) : "\u00a0"),
  );
}

function sessionTile(session) {
  const said = session.total
    ? `p50 ${ms(session.quantile(0.5))} ms, p95 ${ms(session.quantile(0.95))} ms`
    : "no call yet";
  return tile(
    "tile-session",
    "This session, p50",
    ms(session.quantile(0.5)),
    "ms",
    line(`p95 ${ms(session.quantile(0.95))} ms over ${plural(session.total, "call")}`),
    spark(session.recent, said),
  );
}

/** Every call a bar, the newest at the right. */
function spark(values, said) {
  const most = Math.max(1, ...values);
  const bars = values.map((value, at) => {
    const height = Math.max(1, (26 * value) / most);
    return svg("rect", { x: 180 - 3 * (values.length - at), y: 28 - height, width: 2, height });
  });
  return svg(
    "svg",
    {
      class: "spark",
      viewBox: "0 0 180 28",
      preserveAspectRatio: "xMaxYMid meet",
      role: "img",
      "aria-label": `Times of this session's calls: ${said}`,
    },
    bars,
  );
}
