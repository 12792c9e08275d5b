// How numbers and paths are written, everywhere the same.

const counts = new Intl.NumberFormat("en");

/** 12101 → "12,101". @param {number} value */
export const count = (value) => counts.format(value);

/** Milliseconds with as many digits as mean something: 0.42, 9.8, 126. @param {number | null | undefined} value */
export function ms(value) {
  if (value === null || value === undefined) return "–";
  return value < 1 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : value.toFixed(0);
}

/** Scores, rewards and log-probabilities, with a true minus. @param {number | null | undefined} value */
export const figure = (value, digits = 2) =>
  value === null || value === undefined ? "–" : value.toFixed(digits).replace("-", "−");

/** @param {number} value between 0 and 1 */
export const percent = (value) => `${Math.round(100 * value)} %`;

/** A semantic ID as people read it. @param {number[]} sid */
export const path = (sid) => sid.join("·");

/** The last part of a category path. @param {string | null} category */
export const leaf = (category) => (category ?? "").split(" > ").at(-1) ?? "";

/** "1 item", "2 items". @param {number} n @param {string} one */
export const plural = (n, one) => `${count(n)} ${one}${n === 1 ? "" : "s"}`;

/**
 * The value below which a share of the sorted values lies, by nearest rank.
 * @param {number[]} values
 * @param {number} share
 */
export function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null;
}
