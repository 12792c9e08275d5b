"""What an explanation asks of the engine after the search: the history without each item, and the votes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.engine.protocol import Context, Engine
from service.search.explaining.influence import Contexts, Moved, influence, legal, weighed
from service.search.guided import Found, Step
from service.search.plan import Plan
from service.search.votes import agreement, deviation

I32 = NDArray[np.int32]


class Agreement(NamedTuple):
    """Of a level's votes the share whose best candidate is the best of their mean; and that candidate's deviation, the
    standard deviation over the votes of its log share, nats.
    """

    share: float
    deviation: float


class Said(NamedTuple):
    """Of one level: what leaving items out moved, None on a plain beam or where no time was left; and the votes, None
    on a plain beam or without voters.
    """

    moved: Moved | None
    votes: Agreement | None


@dataclass(frozen=True)
class Evidence:
    """`left_out`: the rows of the items that were left out in turn; and what every level said."""

    left_out: tuple[int, ...]
    levels: tuple[Said, ...]


def evidence(
    engine: Engine,
    contexts: Contexts,
    context: Context,
    history: I32,
    found: Found,
    row: int,
    plan: Plan,
    hurry: Callable[[], bool] = lambda: False,
) -> Evidence:
    """On request `row` of a search under `plan`: `context` is its own, `history` its item rows, oldest first."""
    candidates = weighed(engine, found, plan.weight(engine.depth - 1), row, plan.keeping)
    why = influence(engine, contexts, history, candidates, hurry)
    moved = why.levels if why else (None,) * len(found.steps)
    votes = (_agreement(engine, context, step, row) for step in found.steps)
    return Evidence(why.rows if why else (), tuple(map(Said, moved, votes)))


def _agreement(engine: Engine, context: Context, step: Step, row: int) -> Agreement | None:
    if step.pruned is None or not engine.voters:
        return None
    known = legal(engine.trie, step, row)
    node, log_prob = (column.numpy()[row, known][None] for column in (step.children.node, step.children.log_prob))
    if not node.size:
        return None
    votes = engine.vote(context, engine.beams(node, log_prob), step.level).votes
    everyone, best = np.ones(node.shape, np.bool_), int(votes[0].mean(1).argmax())
    return Agreement(float(agreement(votes, everyone)[0]), float(deviation(votes, everyone)[0, best]))
