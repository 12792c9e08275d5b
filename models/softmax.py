"""Cross entropy over every class of a large table, without ever holding [positions, classes] in memory.

The gradient is made in the same pass as the loss, chunk by chunk in one reused buffer that stays in cache: on two
cores this is what makes the full softmax over all valid prefixes affordable (figures in models/README.md).
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

CHUNK_BYTES = 8 << 20


@dataclass(frozen=True)
class Ragged:
    """Which classes compete at each position: owner int64 [C], ascending, and one of its classes int64 [C] each."""

    owner: Tensor
    choice: Tensor

    def mask(self, start: int, stop: int, classes: int) -> Tensor:
        """bool [stop - start, classes]: True where a class does not compete."""
        low, high = torch.searchsorted(self.owner, torch.tensor([start, stop])).tolist()
        out = torch.ones(stop - start, classes, dtype=torch.bool)
        out[self.owner[low:high] - start, self.choice[low:high]] = False
        return out


class _FullSoftmax(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, queries: Tensor, table: Tensor, targets: Tensor, bias: Tensor | None, legal: Ragged | None
    ) -> Tensor:
        queries, table = queries.contiguous(), table.contiguous()
        need = any(ctx.needs_input_grad)
        chunk = max(1, min(len(queries), CHUNK_BYTES // (4 * len(table))))
        buffer = queries.new_empty(chunk, len(table))
        d_queries, d_table = torch.empty_like(queries), torch.zeros_like(table)
        total = queries.new_zeros(())
        for start in range(0, len(queries), chunk):
            rows, goal = queries[start : start + chunk], targets[start : start + chunk, None]
            scores = buffer[: len(rows)]
            torch.mm(rows, table.T, out=scores)
            if bias is not None:
                scores.add_(bias).scatter_add_(1, goal, -bias[goal])
            if legal is not None:
                scores.masked_fill_(legal.mask(start, start + len(rows), len(table)), -torch.inf)
            total += _softmax_(scores, goal)
            if need:
                scores.scatter_add_(1, goal, torch.full_like(goal, -1, dtype=scores.dtype))
                torch.mm(scores, table, out=d_queries[start : start + chunk])
                d_table.addmm_(scores.T, rows)
        ctx.save_for_backward(d_queries, d_table)
        return total / len(queries)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        d_queries, d_table = ctx.saved_tensors
        scale = grad / len(d_queries)
        return d_queries * scale, d_table * scale, None, None, None


def _softmax_(scores: Tensor, goal: Tensor) -> Tensor:
    """Turn scores [P,V] into probabilities in place; returns the summed negative log-likelihood of `goal` [P,1]."""
    top = scores.amax(1, keepdim=True)
    chosen = scores.gather(1, goal) - top
    normaliser = scores.sub_(top).exp_().sum(1, keepdim=True)
    scores.div_(normaliser)
    return (normaliser.log() - chosen).sum()


def full_softmax_loss(
    queries: Tensor, table: Tensor, targets: Tensor, bias: Tensor | None = None, legal: Ragged | None = None
) -> Tensor:
    """Mean cross entropy of queries [P,D] against all rows of table [V,D]; targets int64 [P]; float32 throughout.

    bias [V] is added to the scores of all classes but a position's own goal. That estimates a larger softmax from
    classes drawn from it: bias = log of a class's draws over its expected draws, so that the normaliser is unbiased,
    and the goal, known and not drawn, weighs one. `legal` says which classes compete where, each goal among them.
    """
    with torch.autocast(queries.device.type, enabled=False):
        loss: Tensor = _FullSoftmax.apply(  # type: ignore[no-untyped-call]  # torch
            queries.float(), table.float(), targets, None if bias is None else bias.float(), legal
        )
    return loss


def ragged_softmax_loss(queries: Tensor, table: Tensor, targets: Tensor, legal: Ragged) -> Tensor:
    """As full_softmax_loss with `legal`, touching only the classes that compete: for a few of them a position."""
    queries, table = queries.float(), table.float()
    scores = (queries[legal.owner] * table[legal.choice]).sum(1)
    top = scores.new_full((len(queries),), -torch.inf).scatter_reduce(0, legal.owner, scores.detach(), "amax")
    weight = (scores - top[legal.owner]).exp()
    normaliser = top + scores.new_zeros(len(queries)).index_add(0, legal.owner, weight).log()
    return (normaliser - (queries * table[targets]).sum(1)).mean()
