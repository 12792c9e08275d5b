"""Items → semantic IDs: residual k-means over text, collaborative or joined vectors, one path per item."""

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

from models import collaborative
from models.balanced import balanced_clusters
from models.recipe import TokenizerRecipe

I32 = NDArray[np.int32]
F32 = NDArray[np.float32]
Floats = NDArray[np.float16] | NDArray[np.float32]


class TokenizerError(ValueError):
    """The items cannot be given distinct semantic IDs, or a needed feature is missing; the message says which."""


@dataclass(frozen=True)
class SemanticIds:
    """codes int32 [I, d], one distinct row per item; collisions = items whose own path was already taken."""

    codes: I32
    collisions: int
    codebook: int

    def report(self) -> dict[str, float]:
        """Unique paths, bits of information each depth adds given the one above, and share of codes in use."""
        rows: dict[str, float] = {"items": len(self.codes), "collisions": self.collisions}
        above = 0.0
        for depth in range(1, self.codes.shape[1] + 1):
            _, counts = np.unique(self.codes[:, :depth], axis=0, return_counts=True)
            bits = _entropy(counts)
            rows[f"paths_{depth}"] = len(counts)
            rows[f"bits_{depth}"] = bits - above
            rows[f"codebook_use_{depth}"] = len(np.unique(self.codes[:, depth - 1])) / self.codebook
            above = bits
        return rows


def _entropy(counts: NDArray[np.int64]) -> float:
    share = counts / counts.sum()
    return float(-(share * np.log2(share)).sum())


def item_vectors(recipe: TokenizerRecipe, sequences: list[I32], items: int, text: Floats | None, seed: int) -> F32:
    """The vectors [I, E] that are clustered; only `sequences`, the training interactions, are looked at."""
    if recipe.source in ("text", "joined") and text is None:
        raise TokenizerError(f"semantic IDs from '{recipe.source}' need text embeddings, and this data has none")
    words = None if text is None else collaborative.normalise(np.asarray(text, np.float32))
    if words is not None and recipe.source in ("auto", "text"):
        return words
    found = collaborative.vectors(sequences, items, recipe.dimensions, recipe.window, seed)
    found = collaborative.fill_from_text(found, words)
    if words is None or recipe.source != "joined":
        return found
    return np.concatenate([found * (1 - recipe.text_weight), words * recipe.text_weight], axis=1)


def tokenize(vectors: F32, depth: int, codebook: int, seed: int, balanced: bool = False) -> SemanticIds:
    """Residual k-means: every depth clusters what the centroids above left over; vectors [I, E] → codes [I, d].

    `balanced`: no code of a depth is given to many more items than another, but where items that fell on one path are
    spread over last codes.

    Raises:
        TokenizerError: more items than codebook ** depth paths.
    """
    items = len(vectors)
    if items > codebook**depth:
        raise TokenizerError(f"{items} items do not fit {codebook}^{depth} semantic IDs; raise depth or codebook")
    residual, codes = vectors.astype(np.float32).copy(), np.empty((items, depth), np.int32)
    for level in range(depth):
        codes[:, level], centroids = _cluster(residual, codebook, seed + level, balanced)
        if level == depth - 1:
            return _distinct(codes, residual, centroids, codebook)
        residual -= centroids[codes[:, level]]
    raise TokenizerError("depth must be at least 1")


def _cluster(residual: F32, codebook: int, seed: int, balanced: bool) -> tuple[I32, F32]:
    """Labels [I] and centroids [M, E]."""
    with warnings.catch_warnings():
        # Fewer distinct vectors than codes is no fault here: the report says how many codes are in use.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = KMeans(min(codebook, len(residual)), n_init=1, max_iter=50, random_state=seed).fit(residual)
    centroids = np.asarray(model.cluster_centers_, np.float32)
    return balanced_clusters(residual, centroids) if balanced else (model.labels_, centroids)


def _distinct(codes: I32, residual: F32, centroids: F32, codebook: int) -> SemanticIds:
    """Give the items under one parent prefix different last codes, at the least total squared distance."""
    before = codes.copy()
    groups = _groups(codes[:, :-1])
    groups = _spill(codes, groups, codebook)
    for members in groups:
        if len(members) == 1:
            continue
        cost = np.full((len(members), codebook), 1e6, np.float32)
        cost[:, : len(centroids)] = ((residual[members][:, None] - centroids[None]) ** 2).sum(2)
        if len(centroids) < codebook:
            cost[:, len(centroids) :] += np.arange(codebook - len(centroids), dtype=np.float32)
        rows, chosen = linear_sum_assignment(cost)
        codes[members[rows], -1] = chosen
    _, first = np.unique(before, axis=0, return_index=True)
    return SemanticIds(codes, len(codes) - len(first), codebook)


def _groups(parents: I32) -> list[NDArray[np.intp]]:
    if parents.shape[1] == 0:
        return [np.arange(len(parents))]
    _, inverse = np.unique(parents, axis=0, return_inverse=True)
    order = np.argsort(inverse.ravel(), kind="stable")
    return np.split(order, np.cumsum(np.bincount(inverse.ravel()))[:-1])


def _spill(codes: I32, groups: list[NDArray[np.intp]], codebook: int) -> list[NDArray[np.intp]]:
    """Move items beyond `codebook` under one parent to parents with room: the nearest in code order, then any."""
    if max(map(len, groups)) <= codebook:
        return groups
    depth = codes.shape[1]
    taken = {tuple(map(int, codes[g[0], :-1])): list(map(int, g)) for g in groups}
    for members in list(taken.values()):
        while len(members) > codebook:
            moved = members.pop()
            home = _room(taken, codes[moved], codebook, depth)
            codes[moved, :-1] = home
            taken.setdefault(home, []).append(moved)
    return [np.asarray(members) for members in taken.values()]


def _room(taken: dict[tuple[int, ...], list[int]], code: I32, codebook: int, depth: int) -> tuple[int, ...]:
    """The closest parent prefix with a free last code: same prefix but for its last code, then every other one."""
    stem = tuple(map(int, code[: depth - 2])) if depth > 1 else ()
    for last in range(codebook):
        home = (*stem, (int(code[-2]) + last) % codebook)
        if len(taken.get(home, ())) < codebook:
            return home
    for prefix in np.ndindex(*(codebook,) * (depth - 1)):
        if len(taken.get(prefix, ())) < codebook:
            return prefix
    raise TokenizerError("no free semantic ID is left")


def fitting_codebook(items: int, most: int) -> int:
    """Codes a depth for so many items: four items or more begin with each, where `most` codes allow it.

    With as many first codes as items the depths below would have nothing left to say.
    """
    return min(most, max(16, 1 << (-(-items // 4) - 1).bit_length()))
