"""One batch, many tiers: level 1 at full width for everyone, then groups of one plan (design section 5).

A candidate's reward does not depend on its neighbours, so the first K+ of all level-1 prefixes, cut to the K' best,
are exactly what `guided.search` keeps when it expands K+ of them: the lists are those of a request searched alone.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from service.engine.protocol import F32, Beams, Context, Engine, HostTensor, Pruned
from service.search import choosing
from service.search.guided import Deadline, Found, Step, choose, finish, rank, step
from service.search.plan import Plan
from service.search.pool import Pool

Clock = Callable[[], float]


@dataclass(frozen=True)
class FirstLevel:
    """All level-1 prefixes of a batch, most probable first, [B,C]; the seconds they took.

    reward f32 [B,C], or None where no request of the batch uses the PRM.
    """

    children: Beams
    reward: F32 | None
    expand_s: float
    prune_s: float

    @property
    def log_prob(self) -> F32:
        log_prob: F32 = self.children.log_prob.numpy()
        return log_prob


@dataclass(frozen=True)
class Group:
    """Rows of the batch that go on together: their plan, wide enough for `k`, the beam on the device, steps so far."""

    rows: tuple[int, ...]
    plan: Plan
    k: int
    beams: Beams
    steps: tuple[Step, ...]
    late: bool = False


def first_level(engine: Engine, context: Context, width: int, use_prm: bool, clock: Clock) -> FirstLevel:
    """Expand the root to all of its (at most `width`) children, and reward them all."""
    start = clock()
    children = engine.expand(context, engine.root(context.batch), 0, width)
    middle = clock()
    reward = engine.prune(context, children, 0, 1, 0.0).all_rewards.numpy() if use_prm else None
    return FirstLevel(children, reward, middle - start, clock() - middle)


def begin(engine: Engine, batch: Context, first: FirstLevel, rows: Sequence[int], plan: Plan, k: int) -> Group:
    """The group of these rows after level 1, as its plan (already wide enough for k) would have left them."""
    level, at = plan.levels[0], np.asarray(rows, np.intp)
    children = _rows(first.children, at, level.k_plus if plan.prunes(0) else level.k_keep)
    pruned = None
    if plan.prunes(0):
        if first.reward is None:
            raise RuntimeError("a plan with the PRM needs the rewards of level 1")
        context = batch if plan.keeping is None else engine.take(batch, rows)
        rewards = first.reward[at, : level.k_plus]
        pruned = choose(Pool(engine, context, children, 0, plan, level.k_keep, known=rewards))
    done = Step(0, children, pruned, first.expand_s, first.prune_s)
    return Group(tuple(rows), plan, k, _put(engine, done.kept), (done,))


def descend(
    engine: Engine, batch: Context, group: Group, deadlines: Sequence[Deadline], clock: Clock
) -> Iterator[tuple[tuple[int, ...], Found]]:
    """Finish a group. Rows past their deadline part from the rest and hurry on with a plain beam of k."""
    waiting = [group]
    while waiting:
        going = waiting.pop()
        context = engine.take(batch, going.rows)
        while (number := len(going.steps)) < len(going.plan.levels):
            hurried, timely = _part(engine, going, deadlines)
            if hurried and timely:
                waiting.append(timely)
                context = engine.take(batch, hurried.rows)
            going = hurried or going
            plan = going.plan.hurried(going.k) if going.late else going.plan
            done = step(engine, context, going.beams, number, plan, clock, going.steps)
            going = replace(going, beams=done.kept, steps=(*going.steps, done))
        yield going.rows, _finished(engine, context, going, deadlines)


def _finished(engine: Engine, context: Context, group: Group, deadlines: Sequence[Deadline]) -> Found:
    """The leaves of a group; a strategy takes more passes only while none of its rows is past its deadline."""
    found = rank(group.steps, group.plan.leaf_weight, group.k, group.late)

    def hurry() -> bool:
        return any(deadlines[row].passed() for row in group.rows)

    return found if group.late else finish(engine, context, found, group.plan, group.k, hurry)


def _part(engine: Engine, group: Group, deadlines: Sequence[Deadline]) -> tuple[Group | None, Group | None]:
    """(late, timely) rows; either may be missing."""
    if group.late:
        return group, None
    late = [deadlines[row].passed() for row in group.rows]
    if not any(late):
        return None, group
    if all(late):
        return replace(group, late=True), None
    at = np.flatnonzero(late), np.flatnonzero(np.logical_not(late))
    return replace(_take(engine, group, at[0]), late=True), _take(engine, group, at[1])


def _take(engine: Engine, group: Group, at: NDArray[np.intp]) -> Group:
    steps = tuple(_cut(done, at) for done in group.steps)
    rows = tuple(group.rows[place] for place in at)
    return replace(group, rows=rows, beams=_put(engine, steps[-1].kept), steps=steps)


def _cut(done: Step, at: NDArray[np.intp]) -> Step:
    pruned = done.pruned
    if pruned is not None:
        order, reward, rewards = (
            HostTensor(tensor.numpy()[at]) for tensor in (pruned.order, pruned.reward, pruned.all_rewards)
        )
        count = None if pruned.count is None else HostTensor(pruned.count.numpy()[at])
        pruned = Pruned(_rows(pruned.kept, at), order, reward, rewards, count)
    return replace(done, children=_rows(done.children, at), pruned=pruned)


def _rows(beams: Beams, at: NDArray[np.intp], width: int | None = None) -> Beams:
    """These rows, and of each the first `width` prefixes, on the host."""
    return choosing.beams(beams.node.numpy()[at, :width], beams.log_prob.numpy()[at, :width])


def _put(engine: Engine, beams: Beams) -> Beams:
    return engine.beams(beams.node.numpy(), beams.log_prob.numpy())
