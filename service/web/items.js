// What is known of items and prefixes, asked for once and kept as long as the page.

import { get } from "./api.js";
import { leaf, path } from "./format.js";

const AT_ONCE = 100; // per call; the service takes 200, an address much longer than this is cut by some proxies

/**
 * @typedef {object} Shown
 * @property {string} item_id
 * @property {string | null} title
 * @property {string | null} category
 * @property {string | null} brand
 * @property {number[]} sid
 * @property {number} popularity
 */
/** @typedef {{sid: number[], items: number, categories: {name: string, share: number}[], examples: Shown[]}} Prefix */

export class Items {
  #shown = new Map();
  #absent = new Set();
  #prefixes = new Map();

  /** Keep what came with another answer. @param {Shown[]} items */
  keep(items) {
    for (const item of items) this.#shown.set(item.item_id, item);
  }

  /**
   * Ask for what is not known yet.
   * @param {string[]} ids
   * @param {AbortSignal} [signal]
   * @param {string | null} [bundle]
   */
  async learn(ids, signal, bundle = null) {
    await inParts(
      [...new Set(ids)].filter((id) => !this.#shown.has(id) && (bundle || !this.#absent.has(id))),
      async (part) => {
        const query = part.map((id) => `id=${encodeURIComponent(id)}`).join("&");
        const where = bundle ? `&bundle=${encodeURIComponent(bundle)}` : "";
        this.keep((await get(`catalogue/items?${query}${where}`, signal)).items);
        for (const id of part) if (!bundle && !this.#shown.has(id)) this.#absent.add(id);
      },
    );
  }

  /** The same for prefixes, under their codes joined by dots. @param {string[]} keys @param {AbortSignal} [signal] */
  async learnPrefixes(keys, signal) {
    await inParts(
      [...new Set(keys)].filter((key) => !this.#prefixes.has(key)),
      async (part) => {
        const found = await get(`catalogue/prefixes?${part.map((key) => `sid=${key}`).join("&")}`, signal);
        for (const prefix of found.prefixes) {
          this.#prefixes.set(prefix.sid.join("."), prefix);
          this.keep(prefix.examples);
        }
      },
    );
  }

  /** @param {string} id @returns {Shown | null} */
  of(id) {
    return this.#shown.get(id) ?? null;
  }

  /** @param {string} key @returns {Prefix | null} */
  prefix(key) {
    return this.#prefixes.get(key) ?? null;
  }

  /** A line to know an item by: its title, else brand and the end of its category, else its id. @param {string} id */
  name(id) {
    const item = this.of(id);
    return item?.title || [item?.brand, leaf(item?.category ?? null)].filter(Boolean).join(" · ") || id;
  }

  /** A second, smaller line. @param {string} id */
  detail(id) {
    const item = this.of(id);
    if (!item) return "not in the catalogue";
    const named = item.title ? [item.brand, leaf(item.category)] : [];
    return [...named, id, path(item.sid)].filter(Boolean).join("  ");
  }

  /** What a prefix stands for, in few words: the category that most of its items share. @param {string} key */
  meaning(key) {
    return leaf(this.prefix(key)?.categories[0]?.name ?? null);
  }

  /** Every category path seen so far, and what lies above it. */
  categories() {
    const paths = new Set();
    for (const { category } of this.#shown.values()) {
      const parts = (category ?? "").split(" > ").filter(Boolean);
      parts.forEach((_, at) => paths.add(parts.slice(0, at + 1).join(" > ")));
    }
    return [...paths].sort();
  }
}

/** @param {string[]} all @param {(part: string[]) => Promise<void>} ask */
async function inParts(all, ask) {
  for (let at = 0; at < all.length; at += AT_ONCE) await ask(all.slice(at, at + AT_ONCE));
}
