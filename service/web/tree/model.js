// From an explained answer to the nodes of the tree: every prefix it tells of, once, with all that is said about it.

/** @typedef {"kept" | "rescued" | "pruned"} Fate */
/**
 * @typedef {object} TreeNode
 * @property {string} key codes joined by dots
 * @property {number[]} sid
 * @property {number} level 1-based
 * @property {Fate} fate
 * @property {number | null} logProb null: not listed
 * @property {number | null} reward null: not listed, or no PRM
 * @property {number | null} corrected the reward after a correction ranked the leaves anew
 * @property {number | null} lostBy of the strongest that was let go
 * @property {{item_id: string, change: number}[] | null} because
 * @property {string[]} items answers whose path leads through it, best first
 * @property {number | null} rank of the answer whose leaf it is, from 1
 */
/**
 * @typedef {object} TreeLevel
 * @property {number} level
 * @property {number} expanded
 * @property {number} kept
 * @property {number} rescued
 * @property {number | null} entropy
 * @property {number | null} agreement
 * @property {number | null} deviation
 * @property {TreeNode[]} nodes
 */

const PATHS = 10; // answers whose whole path is drawn

export const keyOf = (sid) => sid.join(".");
export const parentOf = (key) => key.slice(0, Math.max(0, key.lastIndexOf(".")));

/**
 * @param {any} answer explained
 * @param {string} chosen an item that is drawn wherever it ranks
 * @returns {TreeLevel[]}
 */
export function build(answer, chosen) {
  const levels = answer.search?.levels ?? [];
  /** @type {Map<string, TreeNode>} */
  const nodes = new Map();
  for (const level of levels) {
    for (const candidate of level.candidates) put(nodes, candidate, fateOf(candidate));
    if (level.rejected) put(nodes, level.rejected, "pruned").lostBy = level.rejected.lost_by;
  }
  answer.items.forEach(
    (item, place) => (place < PATHS || item.item_id === chosen) && walk(nodes, item, place + 1, levels.length),
  );
  for (const node of [...nodes.values()]) ancestors(nodes, node);
  return levels.map((level) => ({ ...level, nodes: [...nodes.values()].filter((node) => node.level === level.level) }));
}

/** The keys from the first level to this one. @param {string} key */
export function pathTo(key) {
  const codes = key ? key.split(".") : [];
  return codes.map((_, at) => codes.slice(0, at + 1).join("."));
}

const fateOf = ({ kept, rescued }) => (rescued ? "rescued" : kept ? "kept" : "pruned");

/** @param {Map<string, TreeNode>} nodes */
function put(nodes, { sid, log_prob: logProb = null, reward = null }, fate) {
  const key = keyOf(sid);
  const known = nodes.get(key);
  if (known) return known;
  const node = {
    key,
    sid,
    level: sid.length,
    fate,
    logProb,
    reward,
    corrected: null,
    lostBy: null,
    because: null,
    items: [],
    rank: null,
  };
  nodes.set(key, node);
  return node;
}

/** The path of an item. At the last level its reward is the one that ranked it. */
function walk(nodes, item, rank, depth) {
  for (const step of item.trace ?? []) {
    const node = put(nodes, step, fateOf({ kept: true, rescued: step.rescued }));
    node.because = step.because;
    node.items.push(item.item_id);
    if (step.level !== depth) continue;
    node.rank = rank;
    if (step.reward !== node.reward) node.corrected = step.reward;
  }
}

/** Whatever was expanded had been kept, listed or not. */
function ancestors(nodes, node) {
  for (let { sid } = node; sid.length > 1;) {
    sid = sid.slice(0, -1);
    put(nodes, { sid }, "kept");
  }
}
