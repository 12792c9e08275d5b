"""Cross entropy over every class of a large table, without ever holding [positions, classes] in memory.

The gradient is made in the same pass as the loss, chunk by chunk in one reused buffer that stays in cache: on two
cores this is what makes the full softmax over all valid prefixes affordable (figures in models/README.md).
"""

from typing import Any

import torch
from torch import Tensor

CHUNK_BYTES = 8 << 20


class _FullSoftmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, queries: Tensor, table: Tensor, targets: Tensor) -> Tensor:
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
            total += _softmax_(scores, goal)
            if need:
                scores.scatter_add_(1, goal, torch.full_like(goal, -1, dtype=scores.dtype))
                torch.mm(scores, table, out=d_queries[start : start + chunk])
                d_table.addmm_(scores.T, rows)
        ctx.save_for_backward(d_queries, d_table)
        return total / len(queries)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        d_queries, d_table = ctx.saved_tensors
        scale = grad / len(d_queries)
        return d_queries * scale, d_table * scale, None


def _softmax_(scores: Tensor, goal: Tensor) -> Tensor:
    """Turn scores [P,V] into probabilities in place; returns the summed negative log-likelihood of `goal` [P,1]."""
    top = scores.amax(1, keepdim=True)
    chosen = scores.gather(1, goal) - top
    normaliser = scores.sub_(top).exp_().sum(1, keepdim=True)
    scores.div_(normaliser)
    return (normaliser.log() - chosen).sum()


def full_softmax_loss(queries: Tensor, table: Tensor, targets: Tensor) -> Tensor:
    """Mean cross entropy of queries [P,D] against all rows of table [V,D]; targets int64 [P]; float32 throughout."""
    with torch.autocast(queries.device.type, enabled=False):
        loss: Tensor = _FullSoftmax.apply(queries.float(), table.float(), targets)  # type: ignore[no-untyped-call]  # torch
    return loss
