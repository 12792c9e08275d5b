"""Ranges of what the linear maps of a trained network are given, from histories it was trained on."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.graphs.ranges import Range
from models.layers import causal_mask
from models.network import Promise

I32 = NDArray[np.int32]
ROWS = 8  # of an input that are kept of every history, for quantiles
ALL = 1.0  # the share of values inside a range: no value seen is cut


def maps_of(network: Promise) -> list[nn.Module]:
    """Every linear map of encoder and decoder. The PRM's, which see a row a depth, would gain nothing."""
    parts = (*network.encoder.modules(), *network.decoder.modules())
    return [part for part in parts if isinstance(part, nn.Linear)]


@torch.no_grad()
def calibrate(
    network: Promise, maps: Sequence[nn.Module], sequences: Sequence[I32], share: float = ALL, seed: int = 0
) -> dict[nn.Module, Range]:
    """The range of every map's input over these sequences of item rows (oldest first, at least two items each).

    `share` below 1 leaves as much outside, half of it on either side. Decoder queries are the prefixes of the true
    next items and of as many drawn at random, because a beam holds unlikely prefixes too.
    Sequences are read one by one, so that padding is never seen.
    """
    random = torch.Generator().manual_seed(seed)
    watched = {linear: _Watch(random) for linear in maps}
    item_rows = network.eval().features.rows(network.catalogue)
    with _watching(watched):
        for sequence in sequences:
            newest = torch.from_numpy(sequence[-network.recipe.history - 1 :].astype(np.int64))
            _run(network, newest[None, :-1], newest[None, 1:], item_rows, random)
    return {linear: watch.range(share) for linear, watch in watched.items()}


def _run(network: Promise, items: Tensor, targets: Tensor, item_rows: Tensor, random: torch.Generator) -> None:
    """Everything that training computes of one sequence [1,T] up to the decoder's hidden rows."""
    memory, depth = network.encode(items, item_rows), network.catalogue.depth
    drawn = torch.randint(1, network.catalogue.items + 1, targets.shape, generator=random)
    mask = causal_mask(items.shape[1]).repeat_interleave(depth, 0)
    for goals in (targets, drawn):
        network.decoder.hidden(network.decoder.queries(network.catalogue.sids[goals]).flatten(1, 2), memory, mask)


class _Watch:
    """Extremes of everything one linear map was given, and a sample of it."""

    def __init__(self, random: torch.Generator) -> None:
        self.low, self.high, self.kept, self.random = 0.0, 0.0, list[Tensor](), random

    def __call__(self, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        rows = inputs[0].flatten(0, -2)
        self.low, self.high = min(self.low, float(rows.min())), max(self.high, float(rows.max()))
        self.kept.append(rows[torch.randperm(len(rows), generator=self.random)[:ROWS]].flatten())

    def range(self, share: float) -> Range:
        if share >= ALL:
            return Range(self.low, self.high)
        outside = (1 - share) / 2
        low, high = np.quantile(torch.cat(self.kept).numpy(), (outside, 1 - outside))
        return Range(float(low), float(high))


@contextmanager
def _watching(watched: dict[nn.Module, _Watch]) -> Iterator[None]:
    handles = [linear.register_forward_pre_hook(watch) for linear, watch in watched.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
