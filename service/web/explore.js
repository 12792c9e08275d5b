// The first view: one question asked plainly, for the list and the time, then explained, for the tree and the counts.

import { explained, get, Latest, recommend } from "./api.js";
import { $ } from "./dom.js";
import { drawFigures } from "./figures.js";
import { count, ms, plural } from "./format.js";
import { knob } from "./knob.js";
import { itemList } from "./list.js";
import { requestOf } from "./request.js";
import { searchTree } from "./tree/tree.js";

/** @typedef {{answer: any, ms: number}} Asked */

/**
 * @param {import("./page.js").Offered} offered @param {import("./page.js").Shared} shared
 * @param {(id: string) => void} add puts an item into the history
 */
export function exploration(offered, { store, items, session, wire, settle, trouble, used }, add) {
  const choose = (item) => store.set({ item });
  const dial = knob(offered.bundle, offered.plain.strategy, (patch) => store.set(patch));
  const list = itemList(items, choose, add);
  const tree = searchTree(items, choose);
  const latest = new Latest();
  /** @type {Asked | null} */
  let asked = null;
  let opened = null;

  /** The item whose path is shown: what the reader chose, as long as it is recommended. */
  function chosen() {
    const ids = (asked?.answer.items ?? []).map((item) => item.item_id);
    return ids.includes(store.state.item) ? store.state.item : (ids[0] ?? "");
  }

  async function ask(signal) {
    const request = requestOf(store.state, offered.header);
    wire.draw([request], null);
    const next = await recommend(request, signal);
    session.add(next.ms);
    await items.learn(
      next.answer.items.map((item) => item.item_id),
      signal,
    );
    [asked, opened] = [next, null];
    trouble(null, run);
    show(next);
    wire.draw([request], [next.answer]);
    await look(request, signal);
    await price(signal);
    settle("ready");
  }

  /** Every call may have taught the service what its tiers cost. */
  async function price(signal) {
    const { bundles } = await get("catalogue", signal);
    dial.price(bundles.find(({ slot }) => slot === offered.bundle.slot)?.tiers ?? []);
  }

  /** @param {Asked} asked */
  function show({ answer, ms: took }) {
    const { tier, strategy } = store.state;
    drawFigures(asked, null, session);
    list.draw(answer, chosen(), strategy ? `${tier}, ${strategy}` : tier);
    dial.served(answer.budget.tier);
    used(answer.history);
    $("served").textContent = `${answer.model.name} ${answer.model.version}, ${count(offered.bundle.items)} items`;
    $("said").textContent = `${plural(answer.items.length, "item")} at ${answer.budget.tier} in ${ms(took)} ms.`;
  }

  /** The explained call takes several times longer, so its time is not shown as the call's. */
  async function look(request, signal) {
    ({ answer: opened } = await explained(request, signal));
    drawFigures(asked, opened, session);
    await tree.draw(opened, chosen(), signal);
    const other = opened.budget.tier === asked.answer.budget.tier ? "" : `, this time at ${opened.budget.tier}`;
    $("tree-note").textContent = opened.search ? `from a second, explained call, not timed${other}` : "";
  }

  function run() {
    settle("asking");
    return latest.run(ask, refused);
  }

  function refused(error) {
    trouble(error, run, asked !== null);
    settle("refused");
  }

  /** Show the path of what is chosen now; one that is not in the picture is drawn into it. */
  function follow() {
    list.choose(chosen());
    if (tree.has(chosen())) tree.choose(chosen());
    else if (opened && asked) latest.run((signal) => tree.draw(opened, chosen(), signal), refused);
  }

  list.reserve(store.state.k);
  drawFigures(null, null, session);
  return {
    run,
    follow,
    stop: () => latest.stop(),
    /** @param {import("./state.js").State} state */ draw: (state) => dial.draw(state),
  };
}
