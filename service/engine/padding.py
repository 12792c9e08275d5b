"""Ragged parts as one array: encodings and histories of a batch."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

I32 = NDArray[np.int32]


def padded(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """[1,T,…] each → [B,T,…], zero beyond each length."""
    longest = max(part.shape[1] for part in parts)
    whole = np.zeros((len(parts), longest, *parts[0].shape[2:]), parts[0].dtype)
    for row, part in enumerate(parts):
        whole[row, : part.shape[1]] = part[0]
    return whole


def newest_first(histories: Sequence[I32], learned: int) -> I32:
    """int32 [B,L], newest first, of item rows oldest first; rows beyond `learned` become 0, as unknown ones are."""
    width = max(1, *map(len, histories))
    found = np.zeros((len(histories), width), np.int32)
    for row, history in zip(found, histories, strict=True):
        some = history[::-1][:width]
        row[: len(some)] = np.where(some <= learned, some, 0)
    return found
