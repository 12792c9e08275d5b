"""k-means whose clusters hold about equally many rows: a code then says as much as its codebook can."""

import numpy as np
from numpy.typing import NDArray

I32 = NDArray[np.int32]
F32 = NDArray[np.float32]
SLACK = 0.1  # of the even share of a cluster, so that few rows are sent far away
ROUNDS = 8


def balanced_clusters(rows: F32, centroids: F32) -> tuple[I32, F32]:
    """Labels int32 [N] and centroids [M, E] from rows [N, E] and first centroids, no cluster beyond `capacity`.

    A few rounds of Lloyd's algorithm with a capacity; a centroid without rows stays where it is.
    """
    room = capacity(len(rows), len(centroids))
    for _ in range(ROUNDS):
        labels = assign(squared_distances(rows, centroids), room)
        count = np.bincount(labels, minlength=len(centroids))
        total = np.zeros_like(centroids)
        np.add.at(total, labels, rows)
        centroids = np.where(count[:, None] > 0, total / np.maximum(count, 1).astype(np.float32)[:, None], centroids)
    return labels, centroids


def capacity(rows: int, clusters: int) -> int:
    """Most rows that a cluster may hold: the even share and SLACK of it."""
    return int(np.ceil(rows * (1 + SLACK) / clusters))


def assign(cost: F32, room: int) -> I32:
    """A cluster int32 [N] for every row of cost [N, M] at a small total, each taken at most `room` times.

    Rows ask for the nearest cluster with room; one that is asked too often takes those that would lose most by going
    to their next choice, and the others ask again.

    Raises:
        ValueError: the clusters cannot hold the rows.
    """
    count, clusters = cost.shape
    if count > room * clusters:
        raise ValueError(f"{count} rows do not fit {clusters} clusters of {room}")
    labels, left, cost = np.full(count, -1, np.int32), np.full(clusters, room), cost.copy()
    waiting = np.arange(count)
    while len(waiting):
        wanted, regret = _wishes(cost[waiting])
        order = np.lexsort((-regret, wanted))
        asked = wanted[order]
        place = np.arange(len(asked)) - np.searchsorted(asked, asked)
        taken = order[place < left[asked]]
        labels[waiting[taken]] = wanted[taken]
        left -= np.bincount(wanted[taken], minlength=clusters)
        cost[:, left == 0] = np.inf
        waiting = np.delete(waiting, taken)
    return labels


def _wishes(cost: F32) -> tuple[NDArray[np.intp], F32]:
    """The nearest cluster [N], and what the next choice would cost more; infinite without a next choice."""
    if cost.shape[1] == 1:
        return np.zeros(len(cost), np.intp), np.zeros(len(cost), np.float32)
    two = np.argpartition(cost, 1, axis=1)[:, :2]
    best, second = np.take_along_axis(cost, two, 1).T
    return np.where(best <= second, two[:, 0], two[:, 1]), np.maximum(best, second) - np.minimum(best, second)


def squared_distances(rows: F32, centroids: F32) -> F32:
    """[N, M], up to rounding."""
    squared: F32 = (rows**2).sum(1)[:, None] + (centroids**2).sum(1) - 2 * rows @ centroids.T
    return squared
