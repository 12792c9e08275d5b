// The playground: reads the address, learns what the service offers, and keeps every part of the page in step.

import { get, Refusal } from "./api.js";
import { combobox } from "./combobox.js";
import { $, debounced } from "./dom.js";
import { exploration } from "./explore.js";
import { fields } from "./fields.js";
import { count } from "./format.js";
import { historyPanel } from "./history.js";
import { Items } from "./items.js";
import { Session } from "./session.js";
import { EMPTY, fromHash, Store } from "./state.js";
import { say } from "./trouble.js";
import { wire } from "./wire.js";

const PAUSE_MS = 60;
const main = /** @type {HTMLElement} */ (document.querySelector("main"));

/** What the service offers, in one go. */
async function offer() {
  const [catalogue, { experiments }, { samples }, popular] = await Promise.all([
    get("catalogue"),
    get("experiments"),
    get("catalogue/samples?limit=12"),
    get("catalogue/items?limit=20"),
  ]);
  const bundle = catalogue.bundles.find((one) => one.slot === catalogue.default.bundle) ?? catalogue.bundles[0];
  return { bundle, experiments, samples, popular: popular.items, header: catalogue.header, plain: catalogue.default };
}

/** @typedef {Awaited<ReturnType<typeof offer>>} Offered */
/**
 * @typedef {object} Shared what both views work with
 * @property {Store} store
 * @property {Items} items
 * @property {Session} session
 * @property {ReturnType<typeof wire>} wire
 * @property {(state: string) => void} settle
 * @property {typeof trouble} trouble
 * @property {(told: {used: number, unknown: number, truncated: number}) => void} used what became of the history
 */

/**
 * A sentence, and a way to ask again.
 * @param {Refusal | null} error
 * @param {() => void} again
 * @param {boolean} [older] is an answer from before still shown?
 */
function trouble(error, again, older = false) {
  say($("trouble"), error, again, older ? " Below is the answer before." : "");
  main.classList.toggle("stale", Boolean(error));
}

/** The state of the page, for styles and tests: starting, asking, ready or refused. */
function settle(state) {
  main.dataset.state = state;
}

async function start() {
  try {
    const offered = await offer();
    trouble(null, start);
    open(offered);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    trouble(error, start);
  }
}

/** The second view, fetched when it is first wanted. @param {Offered} offered @param {Shared} shared */
function later(offered, shared) {
  let made = null;
  const failed = (again) => () => {
    shared.trouble(new Refusal(0, "The service does not answer."), again);
    shared.settle("refused");
  };
  const run = async () => {
    made ??= await import("./compare/compare.js").then((module) => module.comparison(offered, shared), failed(run));
    await made?.run();
  };
  return { run, stop: () => made?.stop(), draw: (state) => made?.draw(state) };
}

/** @param {Offered} offered */
function open(offered) {
  const items = new Items();
  items.keep(offered.popular);
  const found = fromHash(location.hash);
  const plain = { ...EMPTY, tier: offered.plain.tier };
  const store = new Store(plain, "history" in found ? found : { history: offered.samples[0] ?? [], ...found });
  const read = () => store.state.history;
  const add = (id) => store.set({ history: [...read(), id], item: "" });
  const panel = historyPanel(items, read, (history) => store.set({ history, item: "" }));
  const shared = { store, items, session: new Session(), wire: wire(), settle, trouble, used: panel.used };
  const form = fields(items, offered.samples, (patch) => store.set(patch));
  const explore = exploration(offered, shared, add);
  const views = { explore, compare: later(offered, shared) };
  combobox(items, add, read);

  function draw(state) {
    panel.draw();
    form.draw(state);
    for (const [name, view] of Object.entries(views)) {
      view.draw(state);
      $(name).hidden = state.view !== name;
      $(`view-${name}`).setAttribute("aria-pressed", String(state.view === name));
    }
  }

  async function ask() {
    for (const [name, view] of Object.entries(views)) if (name !== store.state.view) view.stop();
    await items.learn(read()).catch(() => {}); // names only: the answer will say what is wrong
    panel.draw();
    await views[store.state.view].run();
    form.learned();
  }

  const soon = debounced(ask, PAUSE_MS);
  store.listen((state, changed) => {
    draw(state);
    if (changed.size === 1 && changed.has("item")) return explore.follow();
    settle("asking");
    return soon();
  });
  for (const view of Object.keys(views)) $(`view-${view}`).addEventListener("click", () => store.set({ view }));
  addEventListener("hashchange", () => store.set({ ...plain, history: [], ...fromHash(location.hash) }));
  $("served").textContent = `${offered.bundle.name} ${offered.bundle.version}, ${count(offered.bundle.items)} items`;
  draw(store.state);
  settle("asking");
  ask();
}

start();
