"""Sequences → padded batches for training and scoring; rows are 1-based, 0 pads on the right."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

I32 = NDArray[np.int32]


def pad(sequences: list[I32], length: int | None = None) -> NDArray[np.int64]:
    """[B, T] with the newest `length` items of every sequence, left aligned."""
    kept = [s[-length:] if length else s for s in sequences]
    padded = np.zeros((len(kept), max(map(len, kept), default=0)), np.int64)
    for row, sequence in zip(padded, kept, strict=True):
        row[: len(sequence)] = sequence
    return padded


def thinned(sequences: list[I32], share: float, rng: np.random.Generator) -> list[I32]:
    """Every sequence without about this share of its items, in order; never without the newest, nor alone with it."""
    found = []
    for sequence in sequences:
        keep = rng.random(len(sequence)) >= share
        keep[-1:] = True
        if keep.sum() < 2:
            keep[-2:] = True
        found.append(sequence[keep])
    return found


def training_batches(
    sequences: list[I32], users: int, history: int, rng: np.random.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """(items, targets) int64 [B,T], target t = item t + 1; users of like length together, batches in random order."""
    usable = [s for s in sequences if len(s) > 1]
    order = rng.permutation(len(usable))
    lengths = np.array([min(len(usable[i]), history + 1) for i in order])
    order = order[np.argsort(lengths, kind="stable")]
    starts = rng.permutation(np.arange(0, len(order), users))
    for start in starts:
        padded = pad([usable[i] for i in order[start : start + users]], history + 1)
        items, targets = padded[:, :-1].copy(), padded[:, 1:]
        items[targets == 0] = 0
        yield torch.from_numpy(items), torch.from_numpy(np.ascontiguousarray(targets))


def scoring_batches(
    histories: list[I32], batch: int, history: int
) -> Iterator[tuple[NDArray[np.intp], Tensor, Tensor]]:
    """(indices, items [B,T], lengths [B]) over histories sorted by length, each cut to its newest items."""
    order = np.argsort([len(h) for h in histories], kind="stable")
    for start in range(0, len(order), batch):
        chosen = order[start : start + batch]
        padded = pad([histories[i] for i in chosen], history)
        lengths = np.array([min(len(histories[i]), history) for i in chosen])
        yield chosen, torch.from_numpy(padded), torch.from_numpy(lengths)
