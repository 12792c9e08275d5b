// Lines between the places that an item has on both sides.

import { svg } from "../dom.js";

/** @param {SVGElement} lines between the lists @param {HTMLElement[]} lists the left and the right one */
export function join(lines, [left, right]) {
  const { width, height, top } = lines.getBoundingClientRect();
  if (!width) return;
  const rows = new Map([...right.children].map((entry) => [entry.dataset.id, entry]));
  const middle = (entry) => {
    const box = entry.getBoundingClientRect();
    return box.top - top + box.height / 2;
  };
  const shared = [...left.children].filter((entry) => rows.has(entry.dataset.id));
  lines.setAttribute("viewBox", `0 0 ${width} ${height}`);
  lines.replaceChildren(...shared.map((entry) => line(middle(entry), middle(rows.get(entry.dataset.id)), width)));
}

function line(from, to, width) {
  const kind = Math.abs(from - to) < 2 ? "same" : to < from ? "up" : "down";
  return svg("path", { d: `M0 ${from}C${width / 2} ${from} ${width / 2} ${to} ${width} ${to}`, class: kind });
}
