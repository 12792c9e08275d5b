"""More passes over a search that has found its leaves: open what a level rejected, go down from there, join the levels.

Joined levels look like those of one search: of every level the children of all passes, each once, most probable first,
and what any pass kept of them. So what was spent and why can be told as ever.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from service.engine.protocol import Context, Engine, HostTensor
from service.search import choosing
from service.search.guided import Found, Step, rank, step
from service.search.plan import Plan
from service.search.strategies.columns import NOTHING, Columns

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]

RESTS = -1  # in place of a level: this request opens nothing


@dataclass(frozen=True)
class Passes:
    """The passes of one batch under `plan`, all levels of which the PRM prunes. `clock` times the steps."""

    engine: Engine
    context: Context
    plan: Plan
    clock: Callable[[], float]

    def again(
        self, levels: Sequence[Columns], where: I32, promise: Sequence[F32], width: int | None
    ) -> tuple[list[Columns], I32]:
        """One more pass of every request that opens something: joined to the levels so far, and its best leaf [B].

        where int32 [B]: the level at which it begins, or RESTS. promise f32 [B,C] of each inner level's children, -inf
        where there is nothing to open; a request opens the `width` of highest promise, the plan's K' without it.
        """
        together, later, leaf = list(levels), [], np.zeros(len(where), np.int32)
        for number in sorted(set(where[where != RESTS].tolist())):
            at, count = np.flatnonzero(where == number), width or self.plan.levels[number].k_keep
            opened = levels[number].rows(at).opened(promise[number][at], count)
            together[number] = levels[number].also(opened.spread(at, len(where)))
            later.append((at, self._down(opened.step(number, 0.0), at)))
        for at, passed in later:
            for done in passed:
                together[done.level] = together[done.level].joined(Columns.of(done).spread(at, len(where)))
            leaf[at] = passed[-1].kept.node.numpy()[:, 0]
        return together, leaf

    def best(self, levels: Sequence[Columns], k: int) -> tuple[I32, F32]:
        """The k best leaves so far by the PRM, not corrected: nodes and scores [B,k], -inf = filler."""
        score = levels[-1].score(self.plan.rule.leaf)
        order = choosing.best(score, k)
        node, best = np.zeros((len(score), k), np.int32), np.full((len(score), k), NOTHING)
        node[:, : order.shape[1]] = choosing.pick(levels[-1].node, order)
        best[:, : order.shape[1]] = choosing.pick(score, order)
        return node, best

    def alone(self, found: Found, k: int) -> Found:
        """The k best of the first pass, which no other followed, corrected where the plan corrects."""
        *above, last = found.steps
        if last.pruned is None or not self.plan.rescores(last.level):
            return found
        start = self.clock()
        pruned = self.engine.correct(self.context, last.pruned, self.plan.levels[-1].k_keep)
        final = replace(last, pruned=pruned, prune_s=last.prune_s + self.clock() - start)
        return rank([*above, final], self.plan.leaf_weight, k, found.degraded)

    def finish(self, levels: Sequence[Columns], k: int, degraded: bool) -> Found:
        """The k best of all passes, corrected once where the plan corrects: two corrections do not compare."""
        last, number, start = levels[-1], len(levels) - 1, self.clock()
        count = max(self.plan.levels[-1].k_keep, self.plan.rescore if self.plan.rescores(number) else 0)
        pruned = choosing.keep(last.node, last.log_prob, last.reward, count, self.plan.rule.leaf)
        if self.plan.rescores(number):
            order = HostTensor(pruned.order.numpy().astype(np.int64))  # as a correction takes it
            pruned = self.engine.correct(self.context, replace(pruned, order=order), self.plan.levels[-1].k_keep)
        expand_s, prune_s = last.seconds
        leaves = choosing.beams(last.node, last.log_prob)
        final = Step(number, leaves, pruned, expand_s, prune_s + self.clock() - start)
        steps = [level.step(at, self.plan.weight(at)) for at, level in enumerate(levels[:-1])]
        return rank([*steps, final], self.plan.leaf_weight, k, degraded)

    def _down(self, start: Step, at: NDArray[np.intp]) -> list[Step]:
        """The steps below a level opened anew, for these rows of the batch."""
        context, plan = self.engine.take(self.context, at.tolist()), replace(self.plan, rescore=0)
        beams, done = self.engine.beams(start.kept.node.numpy(), start.kept.log_prob.numpy()), [start]
        while (number := done[-1].level + 1) < len(plan.levels):
            done.append(step(self.engine, context, beams, number, plan, self.clock, done))
            beams = done[-1].kept
        return done[1:]


def judged(found: Found) -> bool:
    """Did the PRM prune at every level, and is there one above the leaves? Else there is nothing to open anew."""
    return len(found.steps) > 1 and all(done.pruned is not None for done in found.steps)
