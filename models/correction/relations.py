"""What a candidate item has to do with the items of a history: tables for pairwise features, from training data alone.

Similar: inner products of item profiles, one group for the text, one for the generator's own item tokens. Together:
how often two items stand near each other in training histories; after: how often one directly follows the other.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

F16 = NDArray[np.float16]
F32 = NDArray[np.float32]
I32 = NDArray[np.int32]

WINDOW = 10  # steps apart at which two items of a history count as together
NEIGHBOURS, FOLLOWERS = 64, 32  # kept an item, those of most weight first
NOBODY = -1


@dataclass(frozen=True)
class Relations:
    """Tables over item rows, row 0 = no item. All that pair features are made of.

    profiles f16 [I+1, G*W]: G groups of W; popularity f32 [I+1]: log1p of the training count. neighbour int32
    [I+1, M] and together f16 [I+1, M]: items that stand near, NOBODY = none, and how often; follower int32 [I+1, S]
    and after f16 [I+1, S]: items that come next, and how often.
    """

    profiles: F16
    popularity: F32
    neighbour: I32
    together: F16
    follower: I32
    after: F16
    groups: int

    def arrays(self) -> dict[str, NDArray[Any]]:
        """By name, as relations.npz stores them."""
        return {name: value for name, value in vars(self).items() if name != "groups"}


def build(sequences: list[I32], text: F16 | None, tokens: F32, width: int) -> Relations:
    """Relations of `sequences` of item rows; text f16 [I, words]; tokens f32 [I+1, D]; profile groups of `width`."""
    count = len(tokens)
    popularity = np.bincount(np.concatenate(sequences), minlength=count).astype(np.float32)
    popularity[0] = 0
    groups = [] if text is None else [_profile(np.concatenate([np.zeros_like(text[:1]), text]), width)]
    groups.append(_profile(tokens, width))
    near = _steps(sequences, count, 1)
    for gap in range(2, WINDOW + 1):
        near = near + _steps(sequences, count, gap)
    weight = np.reciprocal(np.sqrt(popularity + 1), dtype=np.float32)
    neighbour, together = _ragged(sparse.csr_array(near + near.T), weight, NEIGHBOURS)
    follower, after = _ragged(_steps(sequences, count, 1), weight, FOLLOWERS)
    profiles = np.concatenate(groups, 1).astype(np.float16)
    return Relations(profiles, np.log1p(popularity), neighbour, together, follower, after, len(groups))


def _profile(vectors: NDArray[Any], width: int) -> F32:
    """Unit vectors [I+1, N] in the `width` directions that keep most of their inner products; zero rows stay zero."""
    rows = vectors.astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True).clip(1e-6)
    if rows.shape[1] <= width:
        return np.pad(rows, ((0, 0), (0, width - rows.shape[1])))
    _, vectors_of = np.linalg.eigh(rows.T.astype(np.float64) @ rows)
    low: F32 = rows @ vectors_of[:, -width:].astype(np.float32)
    return low


def _steps(sequences: list[I32], count: int, gap: int) -> Any:
    """Sparse f32 [I+1, I+1]: how often the second item comes `gap` steps after the first."""
    long = [s for s in sequences if len(s) > gap]
    if not long:
        return sparse.csr_array((count, count), dtype=np.float32)
    first, second = np.concatenate([s[:-gap] for s in long]), np.concatenate([s[gap:] for s in long])
    pairs = sparse.coo_array((np.ones(len(first), np.float32), (first, second)), (count, count))
    return sparse.csr_array(pairs)


def _ragged(counts: Any, weight: F32, most: int) -> tuple[I32, F16]:
    """(items, counts) [I+1, M]: of every row the `most` of largest count · weight, M as small as that allows."""
    counts.sum_duplicates()
    sizes = np.diff(counts.indptr)
    width = max(1, int(min(most, sizes.max(initial=0))))
    items, values = np.full((len(sizes), width), NOBODY, np.int32), np.zeros((len(sizes), width), np.float16)
    for row in np.flatnonzero(sizes):
        span = slice(counts.indptr[row], counts.indptr[row + 1])
        column, value = counts.indices[span], counts.data[span]
        kept = np.argsort(-value * weight[column], kind="stable")[:width]
        items[row, : len(kept)], values[row, : len(kept)] = column[kept], value[kept]
    return items, values
