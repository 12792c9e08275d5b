"""Do the history items that `explain` names move the reward more than others? Three of them removed, against others.

An answer is explained; then the best item's prefixes are rewarded again under the history without the three items that
are named, without the newest three, and without three that are not named, drawn DRAWS times. The candidates are
those of the search. Beside the log share, which explanations speak of, the plain reward is measured.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from loadtest.bench.explain_world import World
from service.explain import NAMED, PathStep
from service.outcomes import encoded
from service.search.explaining.influence import rewards, shares, weighed, without
from service.search.guided import search
from service.search.legality import banned
from service.tasks import Outcome

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]

LONGER_THAN, DRAWS = 6, 20
MEASURES = ("log share", "reward")


@dataclass(frozen=True)
class Moves:
    """How far the best item's prefix moved at one level, 1-based, by measure: f32 [2] without what was named and
    without the newest, [2, draws] without others.
    """

    level: int
    named: F32
    newest: F32
    others: F32


def measured(
    world: World, histories: Sequence[I32], tier: str, draws: int = DRAWS, seed: int = 0
) -> list[tuple[Moves, ...]]:
    """By request the moves of every level. Histories must have more than LONGER_THAN different items."""
    rng = np.random.default_rng(seed)
    return [_request(world, history, world.ask(history, tier, explain=True), draws, rng) for history in histories]


def _request(world: World, history: I32, outcome: Outcome, draws: int, rng: np.random.Generator) -> tuple[Moves, ...]:
    searcher, plan, path = world.served.searcher, outcome.choice.plan, outcome.items[0].path
    assert plan is not None
    assert path is not None
    engine = searcher.engine
    contexts = partial(encoded, engine, searcher.catalogue)
    context = contexts([history])
    context.banned = [banned(engine.trie, history)]
    candidates = weighed(engine, search(engine, context, plan, world.k), plan.weight(engine.depth - 1))
    nodes = engine.trie.path(engine.trie.row_leaf[[outcome.items[0].row]])[0].tolist()
    found = []
    for step, one, node in zip(path, candidates, nodes, strict=True):
        assert one is not None
        rest = [without(history, removed) for removed in _removed(world, history, step, draws, rng)]
        made = rewards(engine, contexts, [history, *rest], [one])
        assert made is not None
        found.append(_moves(step.level, made[0], one.node.tolist().index(node)))
    return tuple(found)


def _removed(world: World, history: I32, step: PathStep, draws: int, rng: np.random.Generator) -> list[list[int]]:
    """Rows: those that the step names, the newest, and others."""
    rows, items = world.served.catalogue.rows, list(dict.fromkeys(history[::-1].tolist()))
    named = [rows[one.item_id] for one in step.because or ()]
    others = [row for row in items if row not in named]
    return [named, items[:NAMED], *(rng.choice(others, NAMED, replace=False).tolist() for _ in range(draws))]


def _moves(level: int, reward: F32, at: int) -> Moves:
    """reward [1 + 2 + draws, c], the whole history first."""
    values = np.stack([shares(reward)[:, at], reward[:, at]])
    moved = np.abs(values[:, 1:] - values[:, :1])
    return Moves(level, moved[:, 0], moved[:, 1], moved[:, 2:])


def summary(found: Sequence[tuple[Moves, ...]]) -> dict[str, dict[str, float]]:
    """By level and measure: the share of requests in which the named items moved more than one draw of others, than the
    mean of the draws, and than the newest; and the mean moves.
    """
    result = {}
    for level in zip(*found, strict=True):
        for at, measure in enumerate(MEASURES):
            named, newest = (np.array([getattr(one, part)[at] for one in level]) for part in ("named", "newest"))
            others = np.stack([one.others[at] for one in level])
            result[f"level {level[0].level}, {measure}"] = {
                "more than one draw": float((named > others[:, 0]).mean()),
                "than their mean": float((named > others.mean(1)).mean()),
                "than the newest": float((named >= newest).mean()),
                "named": float(named.mean()),
                "newest": float(newest.mean()),
                "others": float(others.mean()),
            }
    return result
