"""One batch, many tiers: level 1 at full width for everyone, then groups of one plan (design section 5).

A candidate's reward does not depend on its neighbours, so the first K+ of all level-1 prefixes, cut to the K' best,
are exactly what `guided.search` keeps when it expands K+ of them: the lists are those of a request searched alone.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from service.engine.protocol import F16, F32, I32, Beams, Bool, Context, Engine, Expansion, HostTensor, Pruned
from service.search.guided import Deadline, Found, Step, rank, scores, step
from service.search.plan import Plan

Clock = Callable[[], float]


@dataclass(frozen=True)
class Inputs:
    """A batch on the host: memory f16 [B,T,D], lengths int32 [B], allowed bool [B,N]."""

    memory: F16
    lengths: I32
    allowed: Bool

    def take(self, rows: Sequence[int]) -> "Inputs":
        """These rows, in this order; the batch itself where they are all of it."""
        chosen = list(rows)
        if chosen == list(range(len(self.lengths))):
            return self
        longest = int(self.lengths[chosen].max())
        return Inputs(self.memory[chosen, :longest], self.lengths[chosen], self.allowed[chosen])

    def context(self, engine: Engine, rows: Sequence[int]) -> Context:
        """These rows of the batch on the device."""
        chosen = self.take(rows)
        return engine.context(chosen.memory, chosen.lengths, chosen.allowed)


@dataclass(frozen=True)
class FirstLevel:
    """All level-1 prefixes of a batch, most probable first, [B,C]; the seconds they took.

    reward f32 [B,C], or None where no request of the batch uses the PRM.
    """

    expansion: Expansion
    reward: F32 | None
    expand_s: float
    prune_s: float

    @property
    def log_prob(self) -> F32:
        log_prob: F32 = self.expansion.children.log_prob.numpy()
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
    expansion = engine.expand(context, engine.root(context.batch), 0, width)
    middle = clock()
    reward = engine.prune(context, expansion.children, 0, 1, 0.0).all_rewards.numpy() if use_prm else None
    return FirstLevel(expansion, reward, middle - start, clock() - middle)


def begin(engine: Engine, first: FirstLevel, rows: Sequence[int], plan: Plan, k: int) -> Group:
    """The group of these rows after level 1, as its plan (already wide enough for k) would have left them."""
    level, at = plan.levels[0], np.asarray(rows, np.intp)
    children = _rows(first.expansion.children, at, level.k_plus)
    pruned = None
    if plan.use_prm:
        assert first.reward is not None, "a plan with the PRM needs the rewards of level 1"
        pruned = _prune(children, first.reward[at, : level.k_plus], level.k_keep, plan.weight(0))
    parent = HostTensor(first.expansion.parent.numpy()[at, : level.k_plus])
    done = Step(0, Expansion(children, parent), pruned, first.expand_s, first.prune_s)
    return Group(tuple(rows), plan, k, _put(engine, done.kept), (done,))


def descend(
    engine: Engine, inputs: Inputs, group: Group, deadlines: Sequence[Deadline], clock: Clock
) -> Iterator[tuple[tuple[int, ...], Found]]:
    """Finish a group. Rows past their deadline part from the rest and hurry on with a plain beam of k."""
    waiting = [group]
    while waiting:
        going = waiting.pop()
        context = inputs.context(engine, going.rows)
        while (number := len(going.steps)) < len(going.plan.levels):
            hurried, timely = _part(engine, going, deadlines)
            if hurried and timely:
                waiting.append(timely)
                context = inputs.context(engine, hurried.rows)
            going = hurried or going
            plan = going.plan.hurried(going.k) if going.late else going.plan
            done = step(engine, context, going.beams, number, plan, clock)
            going = replace(going, beams=done.kept, steps=(*going.steps, done))
        yield going.rows, rank(going.steps, going.plan.rule.leaf, going.k, going.late)


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
    expansion = Expansion(_rows(done.expansion.children, at), HostTensor(done.expansion.parent.numpy()[at]))
    pruned = done.pruned
    if pruned is not None:
        values = (HostTensor(tensor.numpy()[at]) for tensor in (pruned.order, pruned.reward, pruned.all_rewards))
        pruned = Pruned(_rows(pruned.kept, at), *values)
    return replace(done, expansion=expansion, pruned=pruned)


def _prune(children: Beams, reward: F32, k_keep: int, weight: float) -> Pruned:
    log_prob = children.log_prob.numpy()
    order = np.argsort(-scores(reward, log_prob, weight), axis=1, kind="stable")[:, :k_keep].astype(np.int32)
    prefix = np.take_along_axis(children.prefix.numpy(), order[..., None], axis=1)
    node, kept_log_prob = (np.take_along_axis(x, order, 1) for x in (children.node.numpy(), log_prob))
    best = HostTensor(np.take_along_axis(reward, order, 1))
    return Pruned(_host(node, prefix, kept_log_prob), HostTensor(order), best, HostTensor(reward))


def _rows(beams: Beams, at: NDArray[np.intp], width: int | None = None) -> Beams:
    """These rows, and of each the first `width` prefixes, on the host."""
    tensors = (beams.node, beams.prefix, beams.log_prob)
    return _host(*(tensor.numpy()[at, :width] for tensor in tensors))


def _host(node: I32, prefix: I32, log_prob: F32) -> Beams:
    return Beams(HostTensor(node), HostTensor(prefix), HostTensor(log_prob), node.shape[1])


def _put(engine: Engine, beams: Beams) -> Beams:
    return engine.beams(beams.node.numpy(), beams.prefix.numpy(), beams.log_prob.numpy())
