"""What the GPU benchmark asks of an engine: whole batches, cold, and the lists that come back."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from loadtest import workload
from loadtest.bench.answers import Answer
from service.engine.bundle import Bundle
from service.engine.graphs import OnnxEngine
from service.items import resolve, tokens
from service.search.guided import Found, search
from service.search.legality import banned
from service.search.plan import Plan, Rule

I32 = NDArray[np.int32]


@dataclass(frozen=True)
class Tier:
    """K' prefixes kept of K+ expanded, at every level."""

    name: str
    k_keep: int
    k_plus: int

    def plan(self, bundle: Bundle) -> Plan:
        scoring = bundle.manifest.scoring
        rule = Rule(scoring.leaf, scoring.prefix)
        return Plan.uniform(bundle.manifest.depth, self.k_keep, self.k_plus, rule=rule)


def made_histories(path: Path, bundle: Bundle, count: int, seed: int, length: int | None) -> list[I32]:
    """Item rows of `count` made users, oldest first, no more than the encoder reads; `length` each, or as they come.

    Raises:
        WorkloadError: the folder holds no readable catalogue.
    """
    drawn = workload.histories(workload.read_items(path), count, seed, length)
    return [resolve(bundle.catalogue, ids, bundle.manifest.dims.history).rows for ids in drawn]


@dataclass(frozen=True, eq=False)
class Searches:
    """An engine that answers batches of these histories; nothing is cached, what was read is not shown again."""

    engine: OnnxEngine
    histories: Sequence[I32]
    k: int = 10

    def batch(self, first: int, size: int) -> list[I32]:
        """`size` histories from number `first` on, beginning again after the last."""
        return [self.histories[number % len(self.histories)] for number in range(first, first + size)]

    def ask(self, rows: Sequence[I32], plan: Plan) -> Found:
        """One batch from history to items, which are on the host when this returns."""
        codes, items, lengths = zip(*(tokens(self.engine.bundle.catalogue, each) for each in rows), strict=True)
        counts: I32 = np.concatenate(lengths)
        memory = self.engine.encode(_padded(codes), _padded(items), counts)
        illegal = [banned(self.engine.trie, each) for each in rows]
        return search(self.engine, self.engine.context(memory, counts, illegal), plan, self.k)

    def answers(self, plan: Plan, size: int) -> list[Answer]:
        """What every history finds, asked in batches of `size`."""
        found: list[Answer] = []
        for first in range(0, len(self.histories), size):
            rows = self.histories[first : first + size]
            found += _listed(self.engine, self.ask(rows, plan))
        return found


def _listed(engine: OnnxEngine, found: Found) -> list[Answer]:
    lists: list[Answer] = []
    for node, score, log_prob in zip(found.node, found.score, found.log_prob, strict=True):
        legal = np.isfinite(log_prob)
        pairs = zip(engine.trie.rows(node[legal]).tolist(), score[legal].tolist(), strict=True)
        lists.append({"items": [{"item_id": str(row), "score": value} for row, value in pairs]})
    return lists


def _padded(parts: Sequence[I32]) -> I32:
    """[1,T,…] each → [B,T,…], zero beyond each length."""
    longest = max(part.shape[1] for part in parts)
    whole = np.zeros((len(parts), longest, *parts[0].shape[2:]), np.int32)
    for row, part in enumerate(parts):
        whole[row, : part.shape[1]] = part[0]
    return whole
