"""Greedy search with backtracking: a narrow dive, and back to the most promising open prefix where it disappoints.

HGS-PRM, "Let's reward step by step" (arXiv 2310.10080): step back as soon as the best next step is judged bad.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from service.engine.protocol import Context, Engine
from service.search.guided import Found
from service.search.plan import Level, Plan
from service.search.strategies.columns import Columns
from service.search.strategies.passes import RESTS, Passes, judged
from service.search.strategies.shares import along, log_shares

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]
Bool = NDArray[np.bool_]


@dataclass(frozen=True)
class Backtracked:
    """After the first dive up to `passes` more, each from the `width` open prefixes of the highest log share.

    A request goes back when on the way to the best leaf of its latest dive a child's log share lies more than `drop`
    nats below its parent's: with 0 unless that way is certain. It ends when no dive dropped so, or when the best open
    prefix holds less than the last of the k best leaves, and so nothing better. Open is what the PRM has judged,
    rejected and not yet gone down from.
    """

    drop: float = 0.0
    passes: int = 2
    width: int = 5
    clock: Callable[[], float] = field(default=time.perf_counter, compare=False, repr=False)

    def __call__(
        self, engine: Engine, context: Context, found: Found, plan: Plan, k: int, hurry: Callable[[], bool]
    ) -> Found:
        """The k best leaves of all dives; as `service.search.plan.Finishing`."""
        dives, trie = Passes(engine, context, plan, self.clock), engine.trie
        if not judged(found):
            return dives.alone(found, k)
        levels, active = [Columns.of(done) for done in found.steps], np.ones(context.batch, np.bool_)
        again, cut = False, found.degraded
        start, leaf = np.zeros(context.batch, np.int32), dives.best(levels, 1)[0][:, 0]
        for _ in range(self.passes):
            shares = log_shares(levels)
            promise = [level.rejected(share) for level, share in zip(levels[:-1], shares, strict=False)]
            best = np.stack([level.max(1) for level in promise], 1)
            node, score = dives.best(levels, k)
            ways = along(levels, shares, np.concatenate((leaf[:, None], node), 1), trie)
            last = np.where(np.isfinite(score), ways[:, 1:, -1], np.inf).min(1)
            active &= self._fell(ways[:, 0], start) & (best.max(1) > last)
            if not active.any() or (cut := hurry()):
                break
            where = np.where(active, best.argmax(1), RESTS).astype(np.int32)
            (levels, newest), again = dives.again(levels, where, promise, self.width), True
            start, leaf = np.where(active, where, start), np.where(active, newest, leaf)
        return dives.finish(levels, k, cut) if again else dives.alone(replace(found, degraded=cut), k)

    def _fell(self, path: F32, start: I32) -> Bool:
        """bool [B]: does a way [B,d] drop anywhere below the level where its dive began?"""
        falls = np.where(np.arange(path.shape[1] - 1) >= start[:, None], path[:, :-1] - path[:, 1:], -np.inf)
        fell: Bool = falls.max(1) > self.drop
        return fell


def narrow(plan: Plan, by: int = 8) -> Plan:
    """The plan of a dive: above the leaves K' and K+ shrink in proportion; all of level 1 is judged as ever."""
    if len(plan.levels) == 1:
        return plan
    first, *inner, last = plan.levels
    narrowed = (Level(max(1, level.k_keep // by), max(1, level.k_plus // by)) for level in inner)
    return replace(plan, levels=(Level(max(1, first.k_keep // by), first.k_plus), *narrowed, last))
