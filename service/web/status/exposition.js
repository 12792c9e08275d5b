// Prometheus' text format, as far as this service writes it.

/** @typedef {{name: string, labels: Record<string, string>, value: number, grows: boolean}} Sample */

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;
const ESCAPED = { n: "\n", '"': '"', "\\": "\\" };

/** @param {string} text @returns {Sample[]} samples in their order; `grows` for counters and parts of histograms */
export function parsed(text) {
  const samples = [];
  let grows = false;
  for (const line of text.split("\n")) {
    if (line.startsWith("# TYPE ")) grows = /(counter|histogram)$/.test(line);
    const found = line.startsWith("#") ? null : LINE.exec(line);
    if (found) samples.push({ name: found[1], labels: labels(found[2] ?? ""), value: number(found[3]), grows });
  }
  return samples;
}

/** @param {string} text */
function labels(text) {
  const pairs = [...text.matchAll(LABEL)].map(([, name, value]) => [name, value.replace(/\\(.)/g, (_, one) => ESCAPED[one] ?? one)]);
  return Object.fromEntries(pairs);
}

/** @param {string} text */
const number = (text) => (/^[+-]?Inf$/.test(text) ? Number(text.replace("Inf", "Infinity")) : Number(text));
