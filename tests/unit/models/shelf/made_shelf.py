"""Bundles of both settings over one small dataset, and settings whose users' ranks are made."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
from tiny import CODES, SIZES, TRAINING, made_dataset, made_sequences, made_sids, made_text

from models import export
from models.dataset import Dataset
from models.listing import listing, train_digest
from models.manifest import Provenance, Scoring
from models.network import Promise
from models.results import Result
from models.scaling.flops import Work
from models.shelf.kept import Measured
from models.shelf.settings import Family, Setting
from models.shelf.study import Shelf, Subject
from models.shelf.work import Spent

ITEMS, USERS = 90, 60
LEVELS = ((10, 40),) * 3


@cache
def dataset() -> Dataset:
    return made_dataset(made_sequences(USERS, ITEMS, seed=3), ITEMS, made_text(ITEMS))


def made_bundle(folder: Path, setting: str) -> Path:
    """Untrained, with weights so large that no two rewards are near."""
    torch.manual_seed(1)
    data = dataset()
    network = Promise(made_sids(ITEMS), CODES, data.items.text, SIZES, TRAINING)
    with torch.no_grad():
        for weights in network.parameters():
            weights.add_(torch.randn_like(weights) * 0.25)
    split = data.split("A" if setting == "A" else "B")
    made = Provenance(
        dataset="tiny",
        dataset_digest=data.digest,
        users=USERS,
        interactions=0,
        train_digest=train_digest(data, split),
        seed=0,
        epochs=0,
        recipe={},
    )
    export.write_bundle(
        folder,
        network.eval(),
        "inner",
        listing(data, split),
        made,
        name="tiny",
        version="1",
        setting=setting,
        scoring=Scoring(leaf=0.0, prefix=1.0),
        metrics={},
    )
    return folder


def made_setting(name: str) -> Setting:
    strategy, base = name.split()
    return Setting(strategy, base, LEVELS)


def made_measured(name: str, rank: Sequence[int], flop: int, ms: float = 1.0) -> Measured:
    """Ranks of all users, its work, its milliseconds."""
    ranks = np.asarray(rank, np.int32)
    target, times = np.arange(1, len(ranks) + 1, dtype=np.int32), np.full(4, ms, np.float32)
    result = Result(name, target, ranks, ranks, 10, 10, 40, None, times)
    return Measured(made_setting(name), result, Spent(Work(0, flop, 0), (1.0, 10.0), (40.0, 40.0)))


def made_shelf(name: str, *found: Measured) -> Shelf:
    """What was measured, by strategy."""
    by: dict[str, list[Measured]] = {}
    for one in found:
        by.setdefault(one.setting.strategy, []).append(one)
    families = {key: Family(key, f"of {key}", tuple(x.setting for x in value)) for key, value in by.items()}
    return Shelf(Subject(name, Path("none")), families, by)


def hits(count: int, users: int = 400) -> list[int]:
    """The first so many have their item first."""
    return [1] * count + [0] * (users - count)


def slower(one: Measured, ms: float) -> Measured:
    """The same at other milliseconds."""
    return replace(one, result=replace(one.result, ms=np.full(4, ms, np.float32)))
