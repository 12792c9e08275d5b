// The service over HTTP: what it answers, what it refuses and in which words, and that the latest question wins.

import { headers as keyed } from "./key.js";

/** What the service refused, or that it did not answer at all (status 0). */
export class Refusal extends Error {
  /** @param {number} status @param {string} message @param {number | null} waitS */
  constructor(status, message, waitS = null) {
    super(message);
    this.status = status;
    this.waitS = waitS;
  }
}

performance.setResourceTimingBufferSize(10_000); // 250 are soon used up by an eager hand on the knob

const sentence = (text) => (/[.!?]$/.test(text) ? text : `${text}.`);

/** One sentence from a problem (RFC 9457), or from whatever stood in its place. @param {Response} response */
async function refusal(response) {
  const problem = await response.json().catch(() => ({}));
  const waitS = Number(response.headers.get("Retry-After")) || null;
  const field = problem.errors?.[0] ? Object.values(problem.errors[0]).join(": ") : null;
  const said = sentence(field ?? problem.detail ?? problem.title ?? `The service answered ${response.status}`);
  return new Refusal(response.status, waitS ? `${said} It asks to wait ${waitS} s.` : said, waitS);
}

/** @param {string} url relative to the page @param {RequestInit} init */
async function call(url, init) {
  let response;
  try {
    response = await fetch(url, { ...init, headers: { ...keyed(), ...init.headers } });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new Refusal(0, "The service does not answer.");
  }
  if (!response.ok) throw await refusal(response);
  return response;
}

/** @param {string} url @param {AbortSignal} [signal] */
export const get = async (url, signal) => (await call(url, { signal })).json();

/**
 * One recommendation. `ms`: from asking to the last byte of the answer, in this browser.
 * @param {{body: object, headers: Record<string, string>}} request @param {AbortSignal} signal
 */
export async function recommend(request, signal) {
  const headers = { "Content-Type": "application/json", ...request.headers };
  const start = performance.now();
  const response = await call("recommend", { method: "POST", headers, body: JSON.stringify(request.body), signal });
  const answer = await response.json();
  return { answer, ms: took(response.url, start) };
}

/** As the browser noted it: this page's own clock would add what the page was busy with. */
function took(url, start) {
  const noted = /** @type {PerformanceResourceTiming | undefined} */ (
    performance.getEntriesByName(url, "resource").at(-1)
  );
  return noted && noted.startTime >= start ? noted.responseEnd - noted.startTime : performance.now() - start;
}

/** The same with the search laid open; its time is no measure of a plain call. */
export const explained = (request, signal) =>
  recommend({ ...request, body: { ...request.body, explain: true } }, signal);

/** Runs one task at a time: a new one ends the one before it, whose outcome nobody sees. */
export class Latest {
  #current = new AbortController();

  /** @template T @param {(signal: AbortSignal) => Promise<T>} task @param {(error: Refusal) => void} refused */
  async run(task, refused) {
    this.#current.abort();
    const { signal } = (this.#current = new AbortController());
    try {
      await task(signal);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Refusal)) throw error;
      refused(error);
    }
  }

  stop() {
    this.#current.abort();
  }
}
