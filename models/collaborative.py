"""Collaborative item vectors from training interactions: positive PMI of co-occurrence, then a truncated SVD."""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import svd
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.linalg import LinearOperator, eigsh

F32 = NDArray[np.float32]


def cooccurrence(sequences: list[NDArray[np.int32]], items: int, window: int) -> csr_matrix:
    """Symmetric counts [I, I] of items at most `window` steps apart, weighted 1/distance; rows are 1-based - 1."""
    left, right, weight = [np.zeros(0, np.int32)], [np.zeros(0, np.int32)], [np.zeros(0, np.float32)]
    for distance in range(1, window + 1):
        for sequence in sequences:
            if len(sequence) > distance:
                left.append(sequence[:-distance])
                right.append(sequence[distance:])
                weight.append(np.full(len(sequence) - distance, 1.0 / distance, np.float32))
    rows, columns, values = np.concatenate(left) - 1, np.concatenate(right) - 1, np.concatenate(weight)
    counts = coo_matrix((values, (rows, columns)), shape=(items, items)).tocsr()
    return csr_matrix(counts + counts.T)


def ppmi(counts: csr_matrix) -> csr_matrix:
    """Positive pointwise mutual information of a count matrix, context distribution smoothed by the power 0.75."""
    cells = counts.tocoo()
    row_sum = np.asarray(counts.sum(1)).ravel()
    context = np.asarray(counts.sum(0)).ravel() ** 0.75
    expected = row_sum[cells.row] * context[cells.col] / max(context.sum(), 1e-12)
    values = np.log(np.maximum(cells.data / np.maximum(expected, 1e-12), 1.0)).astype(np.float32)
    return csr_matrix((values, (cells.row, cells.col)), shape=counts.shape)


def vectors(sequences: list[NDArray[np.int32]], items: int, dimensions: int, window: int, seed: int) -> F32:
    """Unit-norm vectors [I, E], E = dimensions, or I - 1 for fewer items; zero for items that never co-occur."""
    association = ppmi(cooccurrence(sequences, items, window))
    rank = min(dimensions, items - 1)
    if rank < 1 or not association.count_nonzero():
        return np.zeros((items, max(rank, 1)), np.float32)
    left, strength = _svd(association.astype(np.float64), rank, np.random.default_rng(seed))
    return normalise(np.asarray(left * np.sqrt(np.maximum(strength, 0.0)), np.float32))


def _svd(matrix: csr_matrix, rank: int, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Left singular vectors [I, rank] and values, smallest first.

    scipy's own svds takes no seed for the vectors that its solver draws on data of low rank.
    """
    gram = LinearOperator(matrix.shape, matvec=lambda x: matrix.T @ (matrix @ x), dtype=np.float64)
    _, right = eigsh(gram, k=rank, v0=rng.normal(size=len(matrix.indptr) - 1), rng=rng)
    left, strength, _ = svd(matrix @ np.linalg.qr(right)[0], full_matrices=False)
    return left[:, ::-1], strength[::-1]


def normalise(rows: F32) -> F32:
    """Rows [N, E] scaled to unit norm; zero rows stay zero."""
    norm = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(norm, 1e-9), np.float32)


def fill_from_text(collaborative: F32, text: F32 | None, ridge: float = 1.0) -> F32:
    """Give items without co-occurrence the vector that a ridge regression predicts from their text [I, E]."""
    known = np.abs(collaborative).sum(1) > 0
    if text is None or known.all() or not known.any():
        return collaborative
    features = text[known].astype(np.float64)
    gram = features.T @ features + ridge * np.eye(features.shape[1])
    weights = np.linalg.solve(gram, features.T @ collaborative[known])
    filled = collaborative.copy()
    filled[~known] = normalise((text[~known] @ weights).astype(np.float32))
    return filled
