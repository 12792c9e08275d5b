"""Evaluation of models that score every item: SASRec, popularity. Same protocol and same tie draws as the search."""

import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from models import metrics
from models.metrics import F32, I32
from models.results import Paths, Result

Indices = NDArray[np.intp]
Progress = Callable[[int], None]
Scores = Callable[[list[I32]], F32]

_LISTED = 50


class Record:
    """Arrays over all users that batches write into."""

    def __init__(self, users: int, depth: int) -> None:
        self.shuffled, self.by_order = np.zeros(users, np.int32), np.zeros(users, np.int32)
        self.paths = Paths(*(np.zeros((users, depth), np.bool_) for _ in range(3)))

    def rank(self, chosen: Indices, ranks: metrics.Ranks) -> None:
        self.shuffled[chosen], self.by_order[chosen] = ranks.shuffled, ranks.by_order


def check(histories: Sequence[I32], targets: I32, items: int | None, history_limit: int | None) -> None:
    """Raise ValueError unless every user has a history and a target, with rows in 1 .. items."""
    if len(histories) != len(targets) or not len(targets):
        raise ValueError(f"{len(histories)} histories and {len(targets)} targets: at least one user, one target each")
    if history_limit is not None and history_limit < 1:
        raise ValueError(f"a history limit of {history_limit} leaves nothing to encode")
    if not all(len(history) for history in histories):
        raise ValueError("a user without history cannot be evaluated")
    rows = np.concatenate([*histories, targets])
    if rows.min() < 1 or (items is not None and rows.max() > items):
        raise ValueError(f"item rows must lie in 1 .. {items or 'I'}, not {rows.min()} .. {rows.max()}")


def newest(histories: Sequence[I32], history_limit: int | None) -> list[I32]:
    """Histories cut to their newest items."""
    return [history if history_limit is None else history[-history_limit:] for history in histories]


def batches(histories: Sequence[I32], size: int) -> Iterator[Indices]:
    """Users of like length together, so that little is padded."""
    order = np.argsort([len(history) for history in histories], kind="stable")
    yield from (order[start : start + size] for start in range(0, len(order), size))


def sample(users: int, wanted: int, seed: int) -> list[int]:
    """Users to be timed: the same ones for every method and model."""
    return [int(user) for user in np.random.default_rng([seed, 1]).permutation(users)[:wanted]]


def evaluate_scores(
    score_fn: Scores,
    histories: Sequence[I32],
    targets: I32,
    *,
    name: str,
    batch: int = 256,
    history_limit: int | None = None,
    seed: int = 0,
    timed: int = 200,
    progress: Progress | None = None,
) -> Result:
    """Full ranking by a model that scores every item: score_fn(B histories) → f32 [B,I], column j = row j + 1.

    `score_fn` sees the newest `history_limit` items; the whole history is excluded from the ranking. With the same
    seed, ties are broken by the same draws as in `models.evaluation.evaluate_engine`. `timed` users, a seeded
    sample, are then run alone, exclusion and selection of the best included.

    Raises:
        ValueError: an empty history, a row outside the scores, or a score that is not a number.
    """
    check(histories, targets, None, history_limit)
    shown, draw = newest(histories, history_limit), np.random.default_rng(seed).random(len(targets))
    record, items = Record(len(targets), 0), 0
    for chosen in batches(shown, batch):
        scores = _scores(score_fn, [shown[user] for user in chosen], [histories[user] for user in chosen])
        items = scores.shape[1]
        check([histories[user] for user in chosen], targets[chosen], items, history_limit)
        record.rank(chosen, metrics.rank_in_scores(scores, targets[chosen], draw[chosen]))
        if progress:
            progress(len(chosen))
    ms = _timings(score_fn, shown, histories, sample(len(targets), timed, seed))
    return Result(name, targets.astype(np.int32), record.shuffled, record.by_order, items, 0, 0, None, ms)


def _scores(score_fn: Scores, shown: list[I32], seen: Sequence[I32]) -> F32:
    """Scores [B,I] with everything seen at -inf."""
    scores = np.array(score_fn(shown), np.float32)
    users, rows = np.repeat(np.arange(len(seen)), [len(history) for history in seen]), np.concatenate(seen)
    if rows.max() > scores.shape[1]:
        raise ValueError(f"item rows must lie in 1 .. {scores.shape[1]}, not up to {rows.max()}")
    scores[users, rows - 1] = -np.inf
    return scores


def _timings(score_fn: Scores, shown: Sequence[I32], histories: Sequence[I32], users: Sequence[int]) -> F32:
    times = []
    for user in [*users[:3], *users]:
        start = time.perf_counter()
        score = _scores(score_fn, [shown[user]], [histories[user]])[0]
        best = np.argpartition(-score, min(_LISTED, len(score)) - 1)[:_LISTED]
        best[np.argsort(-score[best])]
        times.append((time.perf_counter() - start) * 1e3)
    # The first three only warmed up.
    return np.array(times[len(users[:3]) :], np.float32)


def popularity(count: NDArray[np.integer]) -> Scores:
    """Scores of every item by its number of training interactions [I], the same for everybody."""
    score = count.astype(np.float32)
    return lambda histories: np.tile(score, (len(histories), 1))
