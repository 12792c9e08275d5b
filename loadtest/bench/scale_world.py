"""Catalogues of any size for the scale benchmark: codes, learned rows, and the few items whose network is exported.

It needs numpy and the trie alone.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.search.trie import Trie

I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
F16 = NDArray[np.float16]
F32 = NDArray[np.float32]

DEPTH, SKEW = 3, 0.8  # the skew that loadtest.bench.workload draws its codes with
CHUNK = 1 << 16


@dataclass(frozen=True)
class Size:
    """Items, and codes a level."""

    items: int
    codebook: int


SIZES = {
    "10k": Size(10_000, 256),
    "12k": Size(12_101, 256),
    "100k": Size(100_000, 1024),
    "1m": Size(1_000_000, 4096),
    "2m": Size(2_000_000, 4096),
    "10m": Size(10_000_000, 8192),
}


def sids(size: Size, skewed: bool, seed: int = 0) -> I32:
    """Distinct random paths [I, 3]: all codes alike, or Zipf-like over codes in random order."""
    rng, width = np.random.default_rng(seed), _width(size)
    share = np.arange(1, size.codebook + 1) ** -(SKEW if skewed else 0.0)
    share = np.cumsum(share / share.sum())
    names = [rng.permutation(size.codebook) for _ in range(DEPTH)]
    paths = np.zeros(0, np.int64)
    while len(paths) < size.items:
        drawn = np.zeros(size.items - len(paths) + 1000, np.int64)
        for level in range(DEPTH):
            rank = np.minimum(share.searchsorted(rng.random(len(drawn))), size.codebook - 1)
            drawn = (drawn << width) | names[level][rank]
        paths = np.unique(np.concatenate([paths, drawn]))
    return split(rng.permutation(paths)[: size.items], size)


def split(paths: I64, size: Size) -> I32:
    """Packed paths [n] → codes [n, 3]."""
    width = _width(size)
    return np.stack([(paths >> (width * b)) & (size.codebook - 1) for b in reversed(range(DEPTH))], 1).astype(np.int32)


def _width(size: Size) -> int:
    return (size.codebook - 1).bit_length()


def shape(trie: Trie) -> I32:
    """Codes of a few items that a graph is exported for: all first codes, and below the widest prefix of every level
    one item per child, so that the export sees how many children a node can have."""
    nodes = [np.arange(1, trie.level_start[2])]
    for level in range(1, trie.depth):
        owners = slice(trie.level_start[level], trie.level_start[level + 1] + 1)
        widest = trie.level_start[level] + int(np.diff(trie.first_child[owners]).argmax())
        nodes.append(np.arange(trie.first_child[widest], trie.first_child[widest + 1]))
    for at, found in enumerate(nodes):
        for _ in range(at + 1, trie.depth):
            found = trie.first_child[found]
        nodes[at] = found
    leaves = np.unique(np.concatenate(nodes)).astype(np.int32)
    return trie.code[trie.path(leaves)]


def fill(rows: F16, trie: Trie, code_rows: F32, seed: int = 0) -> None:
    """Write a row per node [N, D]: the sum of its codes' embeddings [3, M, D], and noise half as large as one."""
    rng, spread = np.random.default_rng(seed), 0.5 * float(code_rows.std())
    noise = rng.normal(0, spread, (2 * CHUNK, rows.shape[1])).astype(np.float32)
    rows[0] = 0
    for level in range(trie.depth):
        first, end = trie.level_start[level + 1 : level + 3].tolist()
        for start in range(first, end, CHUNK):
            part = slice(start, min(end, start + CHUNK))
            value = _codes_below(trie, part, level, code_rows)
            at = int(rng.integers(CHUNK))
            value += noise[at : at + len(value)]
            rows[part] = value


def _codes_below(trie: Trie, part: slice, level: int, code_rows: F32) -> F32:
    node = np.arange(part.start, part.stop)
    value: F32 = code_rows[level].take(trie.code[part], axis=0)
    for up in reversed(range(level)):
        node = trie.parent.take(node)
        value += code_rows[up].take(trie.code.take(node), axis=0)
    return value


def queries(rows: F16, count: int, seed: int = 1) -> F32:
    """What a ranking looks for: rows of random leaves [L, D] with noise as large as theirs [count, D]."""
    rng = np.random.default_rng(seed)
    wanted = rows[np.sort(rng.choice(len(rows), count, replace=False))].astype(np.float32)
    return (wanted + rng.normal(0, wanted.std(), wanted.shape)).astype(np.float32)
