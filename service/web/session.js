// The page's own plain calls, as this browser felt them.

import { quantile } from "./format.js";

const KEPT = 1000;
const DRAWN = 60;

export class Session {
  /** @type {number[]} milliseconds, oldest first */
  #calls = [];
  total = 0;

  /** @param {number} ms */
  add(ms) {
    this.#calls = [...this.#calls.slice(1 - KEPT), ms];
    this.total += 1;
  }

  get recent() {
    return this.#calls.slice(-DRAWN);
  }

  /** @param {number} share */
  quantile(share) {
    return quantile(this.#calls, share);
  }
}
