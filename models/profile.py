"""What a dataset looks like, in figures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.dataset import FEWEST_EVALUATED, SECONDS_PER_DAY, Dataset

Facts = dict[str, float | int | str]


def describe(dataset: Dataset) -> Facts:
    """Counts and shares for people: sizes, sequence lengths, time and its order leak, item features, digest.

    `train_only_users` have too few interactions to be evaluated; `rows_without_time` carry the time 0, so their
    order is the order of the file; `last_two_same_day_share` is over evaluated users.
    """
    lengths = np.asarray([len(sequence) for sequence in dataset.sequences])
    evaluated = int((lengths >= FEWEST_EVALUATED).sum())
    users, items, rows = len(dataset.users), len(dataset.items.ids), int(lengths.sum())
    facts: Facts = {"name": dataset.name, "users": users, "items": items, "rows": rows}
    facts |= {"density": rows / (users * items), "evaluated_users": evaluated, "train_only_users": users - evaluated}
    facts |= {"repeated_rows": sum(len(s) - len(np.unique(s)) for s in dataset.sequences)}
    facts |= _length_facts(lengths) | _time_facts(dataset.timestamps) | _item_facts(dataset)
    return facts | {"seed": dataset.seed, "digest": dataset.digest}


def _length_facts(lengths: NDArray[np.int64]) -> Facts:
    quantiles = {"min": 0.0, "p25": 0.25, "median": 0.5, "p75": 0.75, "p95": 0.95, "max": 1.0}
    facts: Facts = {"length_mean": float(lengths.mean())}
    return facts | {f"length_{name}": float(np.quantile(lengths, q)) for name, q in quantiles.items()}


def _time_facts(timestamps: list[NDArray[np.int64]]) -> Facts:
    last_two = [times[-2:] // SECONDS_PER_DAY for times in timestamps if len(times) >= FEWEST_EVALUATED]
    times = np.concatenate(timestamps)
    known = times[times > 0]
    return {
        "last_two_same_day_share": float(np.mean([days[0] == days[1] for days in last_two])) if last_two else 0.0,
        "rows_without_time": len(times) - len(known),
        "first_day": _day(known.min()) if len(known) else "unknown",
        "last_day": _day(known.max()) if len(known) else "unknown",
    }


def _day(seconds: np.int64) -> str:
    return str(np.datetime64(int(seconds), "s").astype("datetime64[D]"))


def _item_facts(dataset: Dataset) -> Facts:
    items = dataset.items
    return {
        "items_with_category": sum(map(bool, items.category)),
        "items_with_brand": sum(map(bool, items.brand)),
        "items_with_title": sum(map(bool, items.title)),
        "text_dimensions": 0 if items.text is None else items.text.shape[1],
    }
