"""How much of the exact scan's list a guided search finds: the search error that large catalogues are judged by."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.evaluation.ranking import Method, Users, leaf_rows
from models.full_ranking import batches
from models.metrics import F64, I32
from service.engine.protocol import Engine
from service.search.guided import search
from service.search.trie import Trie


@dataclass(frozen=True)
class Overlap:
    """Of one method: kept [U] share of the scan's top k in the method's top k; survived [U, d] share of the scan's top
    k whose prefix of that depth the search kept."""

    name: str
    kept: F64
    survived: F64


def overlaps(
    engine: Engine,
    trie: Trie,
    sids: I32,
    histories: Sequence[I32],
    targets: I32,
    methods: Sequence[Method],
    *,
    k: int = 10,
    batch: int = 16,
    history_limit: int | None = None,
) -> list[Overlap]:
    """Compare the searches among `methods` with the exact scan, items of the history excluded from both.

    Raises:
        ValueError: the PRM's form allows no exact scan, or a history that cannot be encoded.
    """
    users = Users(trie, sids, histories, targets, history_limit)
    plans = {method.name: method.plan for method in methods if method.plan}
    kept = {name: np.zeros(len(targets)) for name in plans}
    survived = {name: np.zeros((len(targets), trie.depth)) for name in plans}
    for chosen in batches(users.newest, batch):
        context = users.context(engine, chosen)
        scanned = engine.scan(context, k)
        if scanned is None:
            raise ValueError("this PRM's form allows no exact scan")
        exact = leaf_rows(trie, *scanned)
        paths = trie.path(trie.row_leaf[exact])
        for name, plan in plans.items():
            found = search(engine, context, plan, k)
            kept[name][chosen] = shared(exact, leaf_rows(trie, found.node, found.score))
            for step in found.steps:
                survived[name][chosen, step.level] = shared(paths[:, :, step.level], step.kept.node.numpy())
    return [Overlap(name, kept[name], survived[name]) for name in plans]


def shared(wanted: I32, found: I32) -> F64:
    """[B]: share of the entries of `wanted` [B, k] that stand in the same row of `found` [B, n]."""
    share: F64 = (wanted[:, :, None] == found[:, None]).any(2).mean(1)
    return share
