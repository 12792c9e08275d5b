"""PRM-guided beam search: the expand/prune loop of PROMISE (arXiv 2601.04674, section 3.3) over an Engine.

The same loop serves online requests and offline evaluation. It does no I/O and takes the clock as an argument.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from service.engine.protocol import Beams, Context, Engine, Pruned
from service.search.choosing import scores
from service.search.plan import Plan
from service.search.pool import Pool


@dataclass(frozen=True)
class Step:
    """One level as it happened: what was expanded, what the PRM kept (None on a plain beam), seconds in each."""

    level: int
    children: Beams
    pruned: Pruned | None
    expand_s: float
    prune_s: float

    @property
    def kept(self) -> Beams:
        return self.pruned.kept if self.pruned else self.children


@dataclass(frozen=True)
class Found:
    """Leaves per request, best first: node, log_prob, score and reward [B,k]; log_prob = -inf marks filler.

    reward is None on a plain beam. `degraded`: the deadline passed and the remaining levels ran at the floor width.
    """

    node: NDArray[np.int32]
    log_prob: NDArray[np.float32]
    score: NDArray[np.float32]
    reward: NDArray[np.float32] | None
    steps: tuple[Step, ...]
    degraded: bool = False


@dataclass(frozen=True)
class Deadline:
    """A point on a monotonic clock after which the search stops thinking and finishes; never, by default."""

    at: float = float("inf")
    clock: Callable[[], float] = field(default=time.perf_counter)

    def passed(self) -> bool:
        return self.clock() >= self.at


def search(engine: Engine, context: Context, plan: Plan, k: int, deadline: Deadline | None = None) -> Found:
    """Walk the trie level by level and return the k best leaves of every request in the batch.

    Fewer legal items than k give fewer valid rows, never an illegal one. Past the deadline the remaining levels run
    at K' = K+ = k without the PRM: the best answer so far, finished as cheaply as it can be.
    """
    deadline = deadline or Deadline()
    plan = plan.at_least(k)
    if plan.routing is not None:
        return plan.routing.search(engine, context, plan, k, deadline)
    beams, late = engine.root(context.batch), False
    steps: list[Step] = []
    for number in range(len(plan.levels)):
        late = number > 0 and (late or deadline.passed())
        now = plan.hurried(k) if late else plan
        steps.append(step(engine, context, beams, number, now, deadline.clock, steps))
        beams = steps[-1].kept
    found = rank(steps, plan.leaf_weight, k, late)
    return found if late else finish(engine, context, found, plan, k, deadline.passed)


def finish(engine: Engine, context: Context, found: Found, plan: Plan, k: int, hurry: Callable[[], bool]) -> Found:
    """What the plan's strategy still does once leaves are known."""
    return found if plan.finishing is None else plan.finishing(engine, context, found, plan, k, hurry)


def step(
    engine: Engine,
    context: Context,
    beams: Beams,
    number: int,
    plan: Plan,
    clock: Callable[[], float],
    before: Sequence[Step] = (),
) -> Step:
    """One level: expand, and prune where the plan uses the PRM; without it a level expands to what it keeps."""
    level, prunes = plan.levels[number], plan.prunes(number)
    start = clock()
    children = engine.expand(context, beams, number, level.k_plus if prunes else level.k_keep)
    middle = clock()
    pruned = None
    if prunes:
        kept = max(level.k_keep, plan.rescore) if plan.rescores(number) else level.k_keep
        pruned = choose(Pool(engine, context, children, number, plan, kept, before))
        if plan.rescores(number) and plan.finishing is None:  # more passes come before the correction
            pruned = engine.correct(context, pruned, level.k_keep)
    return Step(number, children, pruned, middle - start, clock() - middle)


def choose(pool: Pool) -> Pruned:
    """What a level keeps: the best by score, or what the plan's strategy says."""
    return pool.pruned() if pool.plan.keeping is None else pool.plan.keeping(pool)


def rank(steps: Sequence[Step], weight: float, k: int, degraded: bool) -> Found:
    """The k best leaves after the last step, on the host."""
    last = steps[-1]
    log_prob = last.kept.log_prob.numpy()[:, :k]
    reward = last.pruned.reward.numpy()[:, :k] if last.pruned else None
    score = log_prob if reward is None else scores(reward, log_prob, weight)
    return Found(last.kept.node.numpy()[:, :k], log_prob, score, reward, tuple(steps), degraded)
