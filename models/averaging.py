"""The mean of the weights after the newest epochs: steadier than the last ones, at no cost in training."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

Weights = dict[str, Tensor]


class Averaged:
    """The weights of `model` after each of its `count` newest epochs; below 2 none is kept, the mean is its own.

    newest: those kept, oldest first, all that a checkpoint must hold. The last of them is where training goes on.
    """

    def __init__(self, model: nn.Module, count: int) -> None:
        self.model, self.count = model, count
        self.newest: list[Weights] = []

    def add(self) -> None:
        """An epoch has ended."""
        if self.count > 1:
            own = {name: weights.clone() for name, weights in self.model.state_dict().items()}
            self.newest = [*self.newest, own][-self.count :]

    def mean(self) -> Weights:
        """What is to be used: the mean over the newest epochs, or the model's own weights where none is kept."""
        if len(self.newest) < 2:
            return dict(self.model.state_dict())
        return {name: _mean([weights[name] for weights in self.newest]) for name in self.newest[0]}

    @contextmanager
    def shown(self) -> Iterator[None]:
        """The model with the mean weights; its own come back afterwards."""
        own = {name: weights.clone() for name, weights in self.model.state_dict().items()}
        self.settle()
        try:
            yield
        finally:
            self.model.load_state_dict(own)

    def settle(self) -> None:
        """Leave the mean in the model."""
        self.model.load_state_dict(self.mean())

    def restore(self, newest: Sequence[Weights]) -> None:
        """Go on from what a checkpoint held: the model gets its own newest weights back, not the mean."""
        self.newest = list(newest)[-self.count :] if self.count > 1 else []
        if self.newest:
            self.model.load_state_dict(self.newest[-1])


def _mean(values: Sequence[Tensor]) -> Tensor:
    """In the type of the values; counters and other integers are the newest's."""
    return torch.stack(list(values)).mean(0) if values[0].is_floating_point() else values[-1]
