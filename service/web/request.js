// From what the page shows to what is sent, and to the same call as a command line.

export const AUTO = "auto";
export const EXACT = "exact";

/**
 * @typedef {object} Asked
 * @property {string[]} history oldest first
 * @property {number} k
 * @property {string} category
 * @property {string} deadline in ms, as typed; empty: none
 * @property {string} tier empty: left to the bucket or the service
 * @property {string} strategy empty: left to the bucket or the service
 * @property {string} [bucket] `experiment=bucket`, sent as a header
 */

/**
 * @param {Asked} asked @param {string} header the header that names a bucket
 * @returns {{body: Record<string, any>, headers: Record<string, string>}}
 */
export function requestOf(asked, header) {
  const body = { history: asked.history, k: asked.k };
  const budget = budgetOf(asked);
  if (budget) body.budget = budget;
  if (asked.strategy && asked.tier !== EXACT) body.strategy = asked.strategy;
  if (asked.category) body.filter = { category: asked.category };
  return { body, headers: asked.bucket ? { [header]: asked.bucket } : {} };
}

/** @param {Asked} asked */
function budgetOf({ tier, deadline }) {
  if (!deadline) return tier || null;
  const latency = { latency_ms: Number(deadline) };
  return tier ? { tier, ...latency } : latency;
}

/** A word that a POSIX shell reads as it stands. @param {string} text */
export const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

/**
 * A key is not written out: it comes from the reader's environment.
 * @param {{body: object, headers: Record<string, string>}} request @param {string} url @param {boolean} keyed
 */
export function curl(request, url, keyed) {
  const headers = { "Content-Type": "application/json", ...request.headers };
  const lines = Object.entries(headers).map(([name, value]) => `-H ${quoted(`${name}: ${value}`)}`);
  if (keyed) lines.push('-H "X-API-Key: $API_KEY"');
  return [`curl -s ${quoted(url)}`, ...lines, `-d ${quoted(JSON.stringify(request.body))}`].join(" \\\n  ");
}
