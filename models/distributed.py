"""Training in several processes that torchrun starts: which share of a batch is whose, and what all must agree on.

Every process draws the same batches and takes every n-th user of each. Gradients are the mean over all positions of
the whole batch, so that n processes train as one does, up to the order of additions and the masks of dropout. The run
folder must be one that all of them see: only the first writes to it, all read their checkpoint there.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

T = TypeVar("T")
PATIENCE = timedelta(hours=12)  # the others wait while the first exports and judges a bundle


class RankError(RuntimeError):
    """The processes of this training cannot go on together; one sentence."""


def start() -> None:
    """Join the processes that torchrun started, if it did; CPU only, over gloo. `end` leaves them."""
    if dist.is_available() and dist.is_torchelastic_launched() and not dist.is_initialized():
        dist.init_process_group("gloo", timeout=PATIENCE)


def end() -> None:
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()


def rank() -> int:
    """Of this process, from 0; 0 also where there is only one."""
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def ranks() -> int:
    """Processes that train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def share(items: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, float]:
    """This process's users of a batch [B,T], and their part of its positions, those with a target above 0.

    Where none is left for it, a user of another's with part 0: every process takes every step.
    """
    if ranks() == 1:
        return items, targets, 1.0
    own, counts = slice(rank(), None, ranks()), (targets > 0).sum(1)
    mine, total = int(counts[own].sum()), int(counts.sum())
    if mine == 0:
        other = int(counts.argmax())
        return items[other : other + 1], targets[other : other + 1], 0.0
    return items[own], targets[own], mine / total


def alike(model: nn.Module) -> None:
    """Every process goes on with the weights of the first."""
    if ranks() > 1:
        for values in model.state_dict().values():
            dist.broadcast(values, 0)


def add_up(model: nn.Module) -> None:
    """Each gradient becomes the sum of those that the processes have, in one exchange.

    Which parameters have one depends on the recipe, not on the data: all processes name the same.
    """
    if ranks() == 1:
        return
    found = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in found])
    dist.all_reduce(flat)
    for gradient, total in zip(found, flat.split([gradient.numel() for gradient in found]), strict=True):
        gradient.copy_(total.view_as(gradient))


def summed(values: dict[str, float]) -> dict[str, float]:
    """Of numbers that every process has a part of, the sums."""
    if ranks() == 1:
        return values
    total = torch.tensor(list(values.values()), dtype=torch.float64)
    dist.all_reduce(total)
    return dict(zip(values, total.tolist(), strict=True))


def told(find: Callable[[], T]) -> T:
    """What the first process finds; the others wait for it."""
    if ranks() == 1:
        return find()
    found: list[Any] = [find() if rank() == 0 else None]
    dist.broadcast_object_list(found)
    answer: T = found[0]
    return answer


def same(value: object, otherwise: str) -> None:
    """Every process must come here with the same value.

    Raises:
        RankError: `otherwise`, in every one of them.
    """
    if ranks() > 1:
        values: list[object] = [None] * ranks()
        dist.all_gather_object(values, value)
        if len(set(values)) > 1:
            raise RankError(f"{otherwise}: the processes that train together start from different states.")


@contextmanager
def first_then_others() -> Iterator[None]:
    """The first process does it alone; the others then find what it left on disk.

    Raises:
        RankError: the first one is gone.
    """
    if rank() > 0:
        _meet()
    yield
    if rank() == 0:
        _meet()


def _meet() -> None:
    if ranks() > 1:
        with together():
            dist.barrier()


@contextmanager
def together() -> Iterator[None]:
    """What a lost process does to the others becomes a sentence.

    Raises:
        RankError: one of them is gone.
    """
    try:
        yield
    except RuntimeError as error:
        if ranks() == 1 or not _lost(error):
            raise
        raise RankError(
            f"Process {rank()} of {ranks()} lost another one, so the training ends; started again it goes on after the"
            " last whole epoch."
        ) from error


def _lost(error: RuntimeError) -> bool:
    return isinstance(error, dist.DistError) or "gloo" in str(error) or "Connection" in str(error)
