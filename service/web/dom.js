// Building elements without markup strings: nothing that comes from a catalogue is ever parsed as HTML.

/** @typedef {Node | string | number | null | undefined | false} Child */

/** An element by its id; the page has it, or it is a mistake. @param {string} id @returns {HTMLElement} */
export const $ = (id) => {
  const found = document.getElementById(id);
  if (!found) throw new Error(`The page has no element #${id}.`);
  return found;
};

/**
 * An HTML element. Names that begin with "on" are listeners, other values attributes; false and null leave one out.
 * @param {string} tag @param {Record<string, any>} [props] @param {...(Child | Child[])} children
 */
export function h(tag, props = {}, ...children) {
  return filled(document.createElement(tag), props, children);
}

/** The same for SVG. @param {string} tag @param {Record<string, any>} [props] @param {...(Child | Child[])} children */
export function svg(tag, props = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), props, children);
}

/** @template {Element} T @param {T} element @param {Record<string, any>} props @param {(Child | Child[])[]} children */
function filled(element, props, children) {
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  element.append(
    ...children
      .flat()
      .filter((child) => child !== null && child !== undefined && child !== false)
      .map(asNode),
  );
  return element;
}

/** @param {any} child */
const asNode = (child) => (child instanceof Node ? child : String(child));

/** Which control of which row of a list has the focus. @param {HTMLElement} list */
export function held(list) {
  const focused = document.activeElement;
  const row = focused ? [...list.children].findIndex((entry) => entry.contains(focused)) : -1;
  return row < 0 ? null : { row, control: [...list.children[row].children].indexOf(focused) };
}

/** Runs `action` once `ms` have passed without another call. @param {() => void} action @param {number} ms */
export function debounced(action, ms) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(action, ms);
  };
}

/** Does the reader want things to stay still? */
export const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
