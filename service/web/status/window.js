// What happened lately: the growth of every counter between one reading and the next, and the readings of gauges.

/** @typedef {import("./exposition.js").Sample} Sample */
/** @typedef {{seconds: number, at: number, grown: Map<string, [Record<string, string>, number][]>, gauges: Sample[]}} Step */

const KEPT_S = 600;

/** @param {Sample} sample */
const key = (sample) => `${sample.name} ${JSON.stringify(sample.labels)}`;

/** @param {Record<string, string>} labels @param {Record<string, string>} where */
const fits = (labels, where) => Object.entries(where).every(([name, value]) => labels[name] === value);

/** Ten minutes of readings, in this page only. */
export class Window {
  /** @type {Step[]} oldest first */
  #steps = [];
  /** @type {Map<string, number> | null} */
  #before = null;
  #at = 0;
  /** @type {Map<string, Set<string>>} of every histogram: its growth may skip the edges where nothing fell */
  #edges = new Map();

  /** One reading. What is new since the last one has grown from 0, what fell began anew. @param {Sample[]} samples @param {number} at seconds */
  add(samples, at) {
    const counters = new Map(samples.filter((sample) => sample.grows).map((sample) => [key(sample), sample.value]));
    const grown = new Map();
    for (const sample of this.#before ? samples : []) {
      const before = this.#before?.get(key(sample)) ?? 0;
      const more = sample.value < before ? sample.value : sample.value - before;
      if (!sample.grows || !more) continue;
      if (!grown.has(sample.name)) grown.set(sample.name, []);
      grown.get(sample.name).push([sample.labels, more]);
    }
    for (const { name, labels } of samples) {
      if (name.endsWith("_bucket")) this.#edges.set(name, (this.#edges.get(name) ?? new Set()).add(labels.le));
    }
    const seconds = this.#before ? at - this.#at : 0;
    this.#steps.push({ seconds, at, grown, gauges: samples.filter((sample) => !sample.grows) });
    this.#steps = this.#steps.filter((step) => step.at > at - KEPT_S);
    [this.#before, this.#at] = [counters, at];
  }

  /** The steps of the last `seconds`. @param {number} seconds */
  last(seconds) {
    return new View(this.#steps.filter((step) => step.at > this.#at - seconds), this.#edges);
  }
}

/** Some steps in a row. Sums are null-free: what never happened grew by 0. */
export class View {
  /** @param {Step[]} steps @param {Map<string, Set<string>>} edges */
  constructor(steps, edges) {
    this.steps = steps;
    this.edges = edges;
    this.seconds = steps.reduce((sum, step) => sum + step.seconds, 0);
  }

  /** By how much the counter grew, over all series that fit. @param {string} name @param {Record<string, string>} [where] */
  grown(name, where = {}) {
    return this.#each(name, where).reduce((sum, [, more]) => sum + more, 0);
  }

  /** The same by the values of a label. @param {string} name @param {string} label @param {Record<string, string>} [where] @returns {Map<string, number>} */
  by(name, label, where = {}) {
    const found = new Map();
    for (const [labels, more] of this.#each(name, where)) found.set(labels[label], (found.get(labels[label]) ?? 0) + more);
    return found;
  }

  /** A second; null before the second reading. @param {string} name @param {Record<string, string>} [where] */
  rate(name, where = {}) {
    return this.seconds ? this.grown(name, where) / this.seconds : null;
  }

  /** A part over the whole; null where there is none of it. @param {number} part @param {number} whole */
  share(part, whole) {
    return whole ? part / whole : null;
  }

  /** The quantile of a histogram, between two of its edges; null where nothing was observed.
   * @param {string} name @param {number} q @param {Record<string, string>} [where] @returns {{value: number, low: number, high: number} | null} */
  quantile(name, q, where = {}) {
    const counts = this.by(`${name}_bucket`, "le", where);
    const total = counts.get("+Inf");
    if (!total) return null;
    const edges = [...(this.edges.get(`${name}_bucket`) ?? [])].map((le) => [le === "+Inf" ? Infinity : Number(le), counts.get(le) ?? 0]);
    edges.sort(([a], [b]) => a - b);
    let [low, below] = [0, 0];
    for (const [high, count] of edges) {
      if (count >= q * total) {
        return { value: high === Infinity ? low : low + ((high - low) * (q * total - below)) / (count - below || 1), low, high };
      }
      [low, below] = [high, count];
    }
    return null;
  }

  /** The share of what a histogram observed that was at most `edge`; null where nothing was, or it has no such edge.
   * @param {string} name @param {number | null} edge @param {Record<string, string>} [where] */
  within(name, edge, where = {}) {
    const counts = this.by(`${name}_bucket`, "le", where);
    const le = [...(this.edges.get(`${name}_bucket`) ?? [])].find((one) => Number(one) === edge);
    return le === undefined ? null : this.share(counts.get(le) ?? 0, counts.get("+Inf") ?? 0);
  }

  /** The last reading of a gauge, summed over what fits; null if there is none. @param {string} name @param {Record<string, string>} [where] */
  now(name, where = {}) {
    const found = this.all(name, where);
    return found.length ? found.reduce((sum, sample) => sum + sample.value, 0) : null;
  }

  /** Every series of a gauge at the last reading. @param {string} name @param {Record<string, string>} [where] */
  all(name, where = {}) {
    return (this.steps.at(-1)?.gauges ?? []).filter((sample) => sample.name === name && fits(sample.labels, where));
  }

  /** @param {string} name @param {Record<string, string>} where @returns {[Record<string, string>, number][]} */
  #each(name, where) {
    return this.steps.flatMap((step) => step.grown.get(name) ?? []).filter(([labels]) => fits(labels, where));
  }
}
