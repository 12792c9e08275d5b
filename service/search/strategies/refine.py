"""Critique and refine: where a finished path promised more than it held, the level's rejected part gets a second look.

GenPRM (arXiv 2504.00891) feeds a critique of the first wrong step back to the policy, up to three times.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from service.engine.protocol import Context, Engine
from service.search.guided import Found
from service.search.plan import Plan
from service.search.strategies.columns import Columns
from service.search.strategies.passes import RESTS, Passes, judged
from service.search.strategies.shares import along
from service.search.trie import Trie

Bool = NDArray[np.bool_]
F32 = NDArray[np.float32]
I32 = NDArray[np.int32]


@dataclass(frozen=True)
class Refined:
    """After the first pass up to `rounds` more, each from where one of the k best paths is found to drop.

    A round opens the `width` best prefixes that this level rejected (None = the plan's K') and goes down from them with
    the plan's widths. A request is done when none of its paths drops or its k best leaves stay as they were. Rewards
    of several passes compare only before the correction, which comes once, at the end.
    """

    rounds: int = 1
    width: int | None = None
    clock: Callable[[], float] = field(default=time.perf_counter, compare=False, repr=False)

    def __call__(
        self, engine: Engine, context: Context, found: Found, plan: Plan, k: int, hurry: Callable[[], bool]
    ) -> Found:
        """The k best leaves of all passes; as `service.search.plan.Finishing`."""
        passes, trie = Passes(engine, context, plan, self.clock), engine.trie
        if not judged(found):
            return passes.alone(found, k)
        levels, refined, cut = [Columns.of(done) for done in found.steps], False, found.degraded
        (node, score), active = passes.best(levels, k), np.ones(context.batch, np.bool_)
        for _ in range(self.rounds):
            promise = promising(levels, node, np.isfinite(score), trie)
            where = np.where(active, drops(promise), RESTS)
            if (where == RESTS).all() or (cut := hurry()):
                break
            (levels, _), refined, before = passes.again(levels, where, promise, self.width), True, node
            node, score = passes.best(levels, k)
            active = (where != RESTS) & (before != node).any(1)
        return passes.finish(levels, k, cut) if refined else passes.alone(replace(found, degraded=cut), k)


def promising(levels: Sequence[Columns], leaf: I32, real: Bool, trie: Trie) -> list[F32]:
    """The rewards [B,C] of every level above the leaves: of what it rejected although it promises more than a prefix of
    one of these leaves [B,k], -inf elsewhere.
    """
    rewards = [level.reward for level in levels]
    ways = np.where(real[..., None], along(levels, rewards, leaf, trie), np.float32(np.inf))
    rejected = [level.rejected(level.reward) for level in levels[:-1]]
    lowest = ways.min(1)
    return [np.where(x > lowest[:, at, None], x, np.float32(-np.inf)) for at, x in enumerate(rejected)]


def drops(promise: Sequence[F32]) -> I32:
    """int32 [B]: the first level that holds a promise [B,C], RESTS where none does."""
    some = np.stack([np.isfinite(level).any(1) for level in promise], 1)
    return np.where(some.any(1), some.argmax(1), RESTS).astype(np.int32)
