"""Semantic IDs for millions of items: residual k-means fitted on a sample, assigned to all items in chunks.

As models.tokenizer, which clusters all vectors and solves an assignment under every parent; here only the parents
under which two items share a last code are solved, which comes to the same IDs wherever there is no tie.
"""

import warnings

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

from models.tokenizer import SemanticIds, TokenizerError

I32 = NDArray[np.int32]
F32 = NDArray[np.float32]
CHUNK = 8192
ITERATIONS = 10


def tokenize_sampled(vectors: F32, depth: int, codebook: int, sample: int, seed: int) -> tuple[SemanticIds, F32]:
    """Codes [I, d] of vectors [I, E], and the centroids [d, M, E], learned from at most `sample` seeded items.

    Raises:
        TokenizerError: more items than paths, or more than `codebook` of them under one parent.
    """
    if len(vectors) > codebook**depth:
        raise TokenizerError(f"{len(vectors)} items do not fit {codebook}^{depth} semantic IDs")
    chosen = np.sort(np.random.default_rng(seed).permutation(len(vectors))[:sample])
    residual, codes = vectors.astype(np.float32), np.empty((len(vectors), depth), np.int32)
    centroids = np.zeros((depth, codebook, vectors.shape[1]), np.float32)
    for level, found in enumerate(centroids):
        learned = _centroids(residual[chosen], codebook, seed + level)
        found[: len(learned)] = learned
        codes[:, level] = nearest(residual, learned)
        if level < depth - 1:
            residual -= learned[codes[:, level]]
    return SemanticIds(codes, _resolve(codes, residual, learned, codebook), codebook), centroids


def _centroids(vectors: F32, codebook: int, seed: int) -> F32:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct vectors than codes is no fault
        count = min(codebook, len(vectors))
        model = KMeans(count, init="random", n_init=1, max_iter=ITERATIONS, random_state=seed).fit(vectors)
    return np.asarray(model.cluster_centers_, np.float32)


def nearest(vectors: F32, centroids: F32) -> I32:
    """Index [I] of the centroid [M, E] nearest to each vector [I, E]."""
    offset = (centroids**2).sum(1)
    found = np.empty(len(vectors), np.int32)
    for start in range(0, len(vectors), CHUNK):
        rows = slice(start, start + CHUNK)
        found[rows] = (offset - 2 * (vectors[rows] @ centroids.T)).argmin(1)
    return found


def _resolve(codes: I32, residual: F32, centroids: F32, codebook: int) -> int:
    """Give items that share a path different last codes, at the least total squared distance under their parent.

    Changes `codes`; returns how many items had a path that was already taken.
    """
    path, parent = _keys(codes, codebook), _keys(codes[:, :-1], codebook)
    _, inverse, counts = np.unique(path, return_inverse=True, return_counts=True)
    order = np.argsort(parent, kind="stable")
    bounds = np.flatnonzero(np.diff(parent[order])) + 1
    crowded = np.add.reduceat(counts[inverse][order] > 1, np.concatenate([[0], bounds]))
    groups = np.split(order, bounds)
    for place in np.flatnonzero(crowded):
        members = groups[place]
        codes[members, -1] = _assign(residual[members], centroids, codebook)
    return len(codes) - len(counts)


def _keys(codes: I32, codebook: int) -> NDArray[np.int64]:
    """One number per row of codes."""
    key = np.zeros(len(codes), np.int64)
    for column in codes.T:
        key = key * codebook + column
    return key


def _assign(residual: F32, centroids: F32, codebook: int) -> NDArray[np.intp]:
    """Distinct codes [n] for residuals [n, E]; codes that no centroid has come last."""
    if len(residual) > codebook:
        raise TokenizerError(f"{len(residual)} items share a parent of {codebook} codes; raise depth or codebook")
    cost = np.full((len(residual), codebook), 1e6, np.float32)
    squared = (residual**2).sum(1, keepdims=True) + (centroids**2).sum(1) - 2 * residual @ centroids.T
    cost[:, : len(centroids)] = squared
    cost[:, len(centroids) :] += np.arange(codebook - len(centroids), dtype=np.float32)
    near = _shortlist(cost)
    _, chosen = linear_sum_assignment(cost[:, near])
    return near[chosen]


def _shortlist(cost: F32) -> NDArray[np.intp]:
    """Codes that an optimal assignment of n items can use: each item's n nearest."""
    count = len(cost)
    if count >= cost.shape[1]:
        return np.arange(cost.shape[1])
    return np.unique(np.argpartition(cost, count - 1, axis=1)[:, :count])
