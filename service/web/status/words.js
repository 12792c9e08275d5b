// How the status writes numbers; a dash where there is nothing to count.

const NONE = "–";

/** @param {number | null} value a second */
export const rate = (value) => (value === null ? NONE : value && value < 10 ? value.toFixed(1) : value.toFixed(0));

/** @param {number | null} value 0 to 1 */
export function share(value) {
  if (value === null) return NONE;
  const percent = 100 * value;
  if (percent > 0 && percent < 0.1) return "< 0.1 %";
  return `${percent && percent < 10 && percent % 1 ? percent.toFixed(1) : percent.toFixed(0)} %`;
}

/** Seconds as a person reads them, with their unit. @param {number | null} value */
export function time(value) {
  if (value === null) return NONE;
  if (value >= 1) return `${value.toFixed(value < 10 ? 1 : 0)} s`;
  const ms = 1000 * value;
  if (ms > 0 && ms < 0.01) return "< 0.01 ms";
  return `${ms && ms < 1 ? ms.toFixed(2) : ms && ms < 10 ? ms.toFixed(1) : ms.toFixed(0)} ms`;
}

/** @param {number | null} value bytes */
export function bytes(value) {
  if (value === null) return NONE;
  const step = value < 1e3 ? 0 : value < 1e6 ? 1 : value < 1e9 ? 2 : 3;
  return `${(value / 1000 ** step).toFixed(step ? 1 : 0)} ${["B", "kB", "MB", "GB"][step]}`;
}

/** A signed share: lifts. @param {number | null | undefined} value */
export function signed(value) {
  if (value === null || value === undefined) return NONE;
  return `${value > 0 ? "+" : value < 0 ? "−" : ""}${(100 * Math.abs(value)).toFixed(1)} %`;
}

/** @param {number} seconds */
export function duration(seconds) {
  const parts = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  const first = parts.findIndex(([, size]) => seconds >= Number(size));
  const at = first < 0 ? 3 : first;
  let left = seconds;
  return parts.slice(at, at + 2).map(([unit, size]) => {
    const whole = Math.floor(left / Number(size));
    left -= whole * Number(size);
    return `${whole} ${unit}`;
  }).join(" ");
}
