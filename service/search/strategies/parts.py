"""Searches of parts of a batch put back together: every request's results in its row, shorter ones with filler."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.engine.protocol import Beams, HostTensor, Pruned
from service.search import choosing
from service.search.guided import Found, Step

Part = tuple[Sequence[int], Found]  # rows of the batch, and what was found for them

NOTHING = -np.inf


def together(parts: Sequence[Part], batch: int) -> Found:
    """One result [B,·] of all parts, which share no row and leave none out.

    Where the PRM was asked for some requests only, the log-probability stands in for the reward of the others; the
    lists have rewards only if all have. Seconds add up, and the batch is degraded if a part is.
    """
    rows, found = [np.asarray(part[0], np.intp) for part in parts], [part[1] for part in parts]
    if len(parts) == 1 and rows[0].tolist() == list(range(batch)):
        return found[0]

    def whole(columns: Sequence[NDArray[Any]], filler: float) -> NDArray[Any]:
        return _whole(columns, rows, batch, filler)

    rewards = [part.reward for part in found if part.reward is not None]
    return Found(
        whole([part.node for part in found], 0),
        whole([part.log_prob for part in found], NOTHING),
        whole([part.score for part in found], NOTHING),
        whole(rewards, NOTHING) if len(rewards) == len(found) else None,
        tuple(_step(steps, rows, batch) for steps in zip(*(part.steps for part in found), strict=True)),
        any(part.degraded for part in found),
    )


def _step(steps: Sequence[Step], rows: Sequence[NDArray[np.intp]], batch: int) -> Step:
    pruned = None
    if any(step.pruned for step in steps):
        every = [step.pruned or _unpruned(step.children) for step in steps]
        # Filler repeats the best, so that it names no child that was not kept.
        order = _whole([part.order.numpy() for part in every], rows, batch, None)
        reward, rewards = (
            HostTensor(_whole(columns, rows, batch, NOTHING))
            for columns in ([part.reward.numpy() for part in every], [part.all_rewards.numpy() for part in every])
        )
        pruned = Pruned(_beams([part.kept for part in every], rows, batch), HostTensor(order), reward, rewards)
    children = _beams([step.children for step in steps], rows, batch)
    seconds = sum(step.expand_s for step in steps), sum(step.prune_s for step in steps)
    return Step(steps[0].level, children, pruned, *seconds)


def _unpruned(children: Beams) -> Pruned:
    """A plain beam as if it had been pruned to all of its children."""
    order = np.broadcast_to(np.arange(children.width), children.node.numpy().shape)
    return Pruned(children, HostTensor(order), children.log_prob, children.log_prob)


def _beams(beams: Sequence[Beams], rows: Sequence[NDArray[np.intp]], batch: int) -> Beams:
    node = _whole([part.node.numpy() for part in beams], rows, batch, 0)
    return choosing.beams(node, _whole([part.log_prob.numpy() for part in beams], rows, batch, NOTHING))


def _whole(
    columns: Sequence[NDArray[Any]], rows: Sequence[NDArray[np.intp]], batch: int, filler: float | None
) -> NDArray[Any]:
    """Columns [b,·] at their rows of [B,widest]; without a filler every row repeats its first."""
    widest = max(column.shape[1] for column in columns)
    whole = np.zeros((batch, widest), columns[0].dtype)
    for at, column in zip(rows, columns, strict=True):
        whole[at] = column[:, :1] if filler is None else filler
        whole[at, : column.shape[1]] = column
    return whole
