"""Which items of a history moved the rewards: every one left out in turn, the same candidates rewarded again.

The rewards of a level are logits: what all candidates gain or lose together ranks nothing. A change is therefore that
of a candidate's log share, its reward less the log-sum-exp of the rewards of all candidates of its level.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from service.engine.protocol import Beams, Context, Engine, HostTensor, Pruned
from service.search import choosing
from service.search.csr import Trie
from service.search.guided import Found, Step
from service.search.plan import Keeping

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]
Bool = NDArray[np.bool_]
Places = NDArray[np.intp]
Contexts = Callable[[Sequence[I32]], Context]  # histories of item rows, oldest first → their encodings, nothing banned

NEWEST = 50  # items left out in turn, at most
AT_ONCE = 1 << 13  # history items, or candidates, of a batch of histories


@dataclass(frozen=True)
class Weighed:
    """Candidates of one 0-based level that are rewarded again: `at` [c] places among the level's children, node int32
    [c], log_prob f32 [c]. `corrected`: leaves that a correction ranked, as one list that `weight` had ordered.
    `keeping`: how the search chose, where it did so otherwise; it may take something else for the reward.
    """

    level: int
    at: Places
    node: I32
    log_prob: F32
    weight: float
    corrected: bool
    keeping: Keeping | None = None


@dataclass(frozen=True)
class Moved:
    """Rewards f32 [c] of `weighed` under the whole history, and by how much their log shares change without each of
    the V items left out, f32 [V,c].
    """

    weighed: Weighed
    reward: F32
    change: F32


@dataclass(frozen=True)
class Influence:
    """`rows`: the V items left out, newest first. By level what that moved, None where no PRM chose."""

    rows: tuple[int, ...]
    levels: tuple[Moved | None, ...]


def influence(
    engine: Engine,
    contexts: Contexts,
    history: I32,
    weighed: Sequence[Weighed | None],
    hurry: Callable[[], bool] = lambda: False,
) -> Influence | None:
    """Leave out every item of `history` (item rows, oldest first) in turn; one that occurs twice, at both places.

    None where `hurry()` before it is done, or no PRM chose.
    """
    if not any(weighed):
        return None
    rows = left_out(history)
    made = rewards(engine, contexts, [history, *(without(history, (row,)) for row in rows)], weighed, hurry)
    if made is None:
        return None
    levels = zip(weighed, made, strict=True)
    return Influence(rows, tuple(None if one is None else _moved(one, reward) for one, reward in levels))


def left_out(history: I32) -> tuple[int, ...]:
    """The different items among the newest, newest first; none where there is only one: without it nothing is left."""
    rows = tuple(dict.fromkeys(history[::-1].tolist()))
    return rows[:NEWEST] if len(rows) > 1 else ()


def without(history: I32, rows: Sequence[int]) -> I32:
    """The history without these items."""
    return history[~np.isin(history, rows)]


def shares(reward: F32) -> F32:
    """Log shares [V,c] of rewards [V,c], nats."""
    below = reward - reward.max(1, keepdims=True, initial=np.finfo(np.float32).min)
    share: F32 = below - np.log(np.maximum(np.exp(below).sum(1, keepdims=True), np.finfo(np.float32).tiny))
    return share


def _moved(weighed: Weighed, reward: F32) -> Moved:
    share = shares(reward)
    return Moved(weighed, reward[0], share[1:] - share[:1])


def weighed(
    engine: Engine, found: Found, leaf_weight: float, row: int = 0, keeping: Keeping | None = None
) -> tuple[Weighed | None, ...]:
    """By level the legal candidates of request `row`; of leaves that were corrected, the list that was."""
    return tuple(_weighed(engine, step, leaf_weight, row, keeping) for step in found.steps)


def _weighed(engine: Engine, step: Step, weight: float, row: int, keeping: Keeping | None) -> Weighed | None:
    if step.pruned is None:
        return None
    node, log_prob = step.children.node.numpy()[row], step.children.log_prob.numpy()[row]
    at = np.flatnonzero(legal(engine.trie, step, row))
    corrected = step.level == engine.depth - 1 and engine.pool > 0 and _corrected(step.pruned, row)
    if corrected:
        score = choosing.scores(step.pruned.all_rewards.numpy()[row], log_prob, weight)
        at = _listed(at, kept_at(step.pruned, row), score, engine.pool)
    return Weighed(step.level, at, node[at], log_prob[at], weight, corrected, keeping)


def legal(trie: Trie, step: Step, row: int) -> Bool:
    """bool [C]: the children of request `row` that are no filler, and prefixes of this depth."""
    node, log_prob = step.children.node.numpy()[row], step.children.log_prob.numpy()[row]
    first, end = trie.level_start[step.level + 1 : step.level + 3]
    there: Bool = np.isfinite(log_prob) & (node >= first) & (node < end)
    return there


def kept_at(pruned: Pruned, row: int) -> I32:
    """Places of what was kept for request `row`, best first, filler left out."""
    kept: I32 = pruned.order.numpy()[row][np.isfinite(pruned.kept.log_prob.numpy()[row])]
    return kept


def _corrected(pruned: Pruned, row: int) -> bool:
    """Do the rewards of what was kept differ from those that all candidates have?"""
    kept = kept_at(pruned, row)
    return not np.array_equal(pruned.reward.numpy()[row, : len(kept)], pruned.all_rewards.numpy()[row, kept])


def _listed(known: Places, kept: I32, score: F32, pool: int) -> Places:
    """The kept leaves and, up to the size of the pool, the best of the others."""
    others, kept = np.setdiff1d(known, kept), kept[np.isin(kept, known)]
    best = others[np.argsort(-score[others], kind="stable")][: max(0, pool - len(kept))]
    return np.concatenate([kept, best]).astype(np.intp)


def rewards(
    engine: Engine,
    contexts: Contexts,
    histories: Sequence[I32],
    weighed: Sequence[Weighed | None],
    hurry: Callable[[], bool] = lambda: False,
) -> list[F32] | None:
    """By level f32 [V,c]: what V histories make of the same candidates, [V,0] of none; None if `hurry()` before."""
    widest = max(*(0 if one is None else len(one.at) for one in weighed), *map(len, histories))
    size, parts = max(1, AT_ONCE // widest), []
    for first in range(0, len(histories), size):
        if hurry():
            return None
        context = contexts(histories[first : first + size])
        parts.append([_rewards(engine, context, one) for one in weighed])
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


def _rewards(engine: Engine, context: Context, weighed: Weighed | None) -> F32:
    """f32 [V,c]"""
    if weighed is None or not len(weighed.at):
        return np.zeros((context.batch, 0), np.float32)
    beams = engine.beams(np.tile(weighed.node, (context.batch, 1)), np.tile(weighed.log_prob, (context.batch, 1)))
    count, weight = len(weighed.at), weighed.weight if weighed.corrected else 0.0
    pruned = engine.prune(context, beams, weighed.level, count, weight)
    if weighed.keeping is not None:
        plain = pruned.all_rewards.numpy()
        own = weighed.keeping.rewarded(engine, context, beams, weighed.level, plain)
        pruned = pruned if own is plain else _all_kept(beams, own, weight)
    if not weighed.corrected:
        reward: F32 = pruned.all_rewards.numpy()
        return reward
    return _in_place(engine.correct(context, pruned, count))


def _all_kept(beams: Beams, reward: F32, weight: float) -> Pruned:
    """All of them, by other rewards than the PRM's."""
    pruned = choosing.keep(beams.node.numpy(), beams.log_prob.numpy(), reward, beams.width, weight)
    return replace(pruned, order=HostTensor(pruned.order.numpy().astype(np.int64)))  # as a correction takes it


def _in_place(pruned: Pruned) -> F32:
    """Rewards in the order of the children, all of which were kept."""
    order, reward = pruned.order.numpy(), pruned.reward.numpy()
    placed = np.empty_like(reward)
    np.put_along_axis(placed, order.astype(np.intp), reward, 1)
    return placed
