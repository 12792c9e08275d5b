"""Which nodes are illegal for which request of a batch, as one buffer that graphs gather from."""

import mmap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.search.csr import Trie
from service.search.legality import Banned

LARGE = 1 << 20  # bytes; numpy asks for huge pages above some size, and a few scattered writes would touch them all


@dataclass(frozen=True)
class Masks:
    """banned bool [S*N], slot int32 [B]: where the N entries of a request begin."""

    banned: NDArray[np.bool_]
    slot: NDArray[np.int32]


def masks(trie: Trie, banned: Sequence[Banned]) -> Masks:
    """A slot of N entries per request. Only touched pages take memory, so a request costs what it bans."""
    nodes = trie.nodes
    buffer = _zeros(len(banned) * nodes)
    for row, illegal in enumerate(banned):
        if illegal.mask is not None:
            buffer[row * nodes : (row + 1) * nodes] = illegal.mask
        else:
            buffer[illegal.nodes + row * nodes] = True
    return Masks(buffer, slots(trie, len(banned)))


def slots(trie: Trie, batch: int) -> NDArray[np.int32]:
    """[B]: where each request's entries begin."""
    return np.arange(batch, dtype=np.int32) * np.int32(trie.nodes)


def _zeros(size: int) -> NDArray[np.bool_]:
    if size < LARGE:
        return np.zeros(size, np.bool_)
    return np.frombuffer(mmap.mmap(-1, size), np.bool_)
