// Two ways to answer the same history, side by side: how far they agree and what each took.

import { explained, Latest, recommend, Refusal } from "../api.js";
import { agreement } from "../changes.js";
import { $, h, svg } from "../dom.js";
import { figure } from "../format.js";
import { requestOf } from "../request.js";
import { join } from "./lines.js";
import { pane } from "./pane.js";
import { bundleOf, firstSides, sideOf } from "./sides.js";

/** @param {import("../page.js").Offered} offered @param {import("../page.js").Shared} shared */
export function comparison(offered, { store, items, session, wire, settle, trouble, used }) {
  const first = firstSides(offered.experiments, offered.bundle);
  const panes = ["a", "b"].map((name) => pane(name, offered, items, (text) => store.set({ [name]: text })));
  const lines = svg("svg", { class: "lines", "aria-hidden": "true" });
  const verdict = h("p", { class: "verdict", role: "status" });
  const latest = new Latest();
  $("compare").replaceChildren(verdict, h("div", { class: "panes" }, panes[0].element, lines, panes[1].element));
  const connect = () =>
    join(
      lines,
      panes.map(({ list }) => list),
    );
  new ResizeObserver(connect).observe($("compare"));

  const texts = (state) => [state.a || first[0], state.b || first[1]];

  /** Both sides plainly, one after the other, so that neither slows the other; null where one was refused. */
  async function ask(requests, signal) {
    const asked = [];
    for (const [at, request] of requests.entries()) {
      asked.push(await recommend(request, signal).catch((error) => refused(error, at, signal)));
    }
    if (asked.includes(null)) return null;
    for (const [at, { answer, ms }] of asked.entries()) {
      session.add(ms);
      const bundle = bundleOf(offered.experiments, texts(store.state)[at]);
      await items.learn(
        answer.items.map((item) => item.item_id),
        signal,
        bundle,
      );
    }
    return asked;
  }

  function refused(error, at, signal) {
    if (signal.aborted || !(error instanceof Refusal)) throw error;
    panes[at].refuse(error, run);
    verdict.textContent = "A side was refused, so there is nothing to compare.";
    lines.replaceChildren();
    return null;
  }

  function show(asked, opened, k) {
    const lists = asked.map(({ answer }) => answer.items.map((item) => item.item_id));
    const places = lists.map((list) => new Map(list.map((id, at) => [id, at])));
    panes.forEach((one, at) => one.draw(asked[at], places[1 - at], opened[at]));
    const { both, of, overlap, shift } = agreement(lists[0], lists[1]);
    verdict.replaceChildren(
      h("b", {}, `${both} of ${of}`),
      ` in both, overlap@${k} `,
      h("b", {}, figure(overlap)),
      shift === null ? "" : `, mean change of rank ${figure(shift, 1)}`,
    );
    connect();
  }

  function run() {
    const { state } = store;
    const requests = texts(state).map((text) => requestOf({ ...state, ...sideOf(text) }, offered.header));
    settle("asking");
    trouble(null, run);
    draw(state);
    wire.draw(requests, null);
    return latest.run(
      async (signal) => {
        const asked = await ask(requests, signal);
        if (asked) {
          used(asked[0].answer.history);
          show(asked, [null, null], state.k);
          wire.draw(
            requests,
            asked.map(({ answer }) => answer),
          );
          const opened = [];
          for (const request of requests) opened.push((await explained(request, signal)).answer);
          show(asked, opened, state.k);
        }
        settle(asked ? "ready" : "refused");
      },
      (error) => {
        trouble(error, run, true);
        settle("refused");
      },
    );
  }

  /** @param {import("../state.js").State} state */
  function draw(state) {
    texts(state).forEach((text, at) => panes[at].set(text));
  }

  return { run, draw, stop: () => latest.stop() };
}
