"""The work of one request on the device thread: encode if nothing was cached, search or scan, bring results home."""

import time
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service import explain
from service.engine.bundle import Catalogue
from service.engine.protocol import F16, I32, Bool, Context, Engine
from service.items import tokens
from service.search import guided
from service.search.guided import Deadline, Found
from service.search.plan import Plan
from service.search.trie import Trie


@dataclass(frozen=True)
class Task:
    """History rows [T], their encoding [T,D] if cached, the legality mask [N], how many items; plan None = scan."""

    rows: I32
    memory: F16 | None
    allowed: Bool
    k: int
    plan: Plan | None
    explain: bool
    deadline: Deadline


class Scored(NamedTuple):
    """One recommended row. log_prob is None after a scan, reward None on a plain beam, path only when explained."""

    row: int
    score: float
    log_prob: float | None = None
    reward: float | None = None
    path: tuple[explain.PathStep, ...] | None = None


@dataclass(frozen=True)
class Outcome:
    """Rows best first, the encoding [T,D] they came from, seconds per stage, rescued prefixes per level.

    An exact scan is the PRM's work and counts as `prune`.
    """

    items: tuple[Scored, ...]
    memory: F16
    seconds: dict[str, float]
    rescued: tuple[int, ...] = ()
    degraded: bool = False
    levels: tuple[explain.LevelTrace, ...] | None = None


class Searcher:
    """An engine, its trie and its catalogue. Called from the device thread only."""

    def __init__(self, engine: Engine, trie: Trie, catalogue: Catalogue) -> None:
        self._engine = engine
        self._trie = trie
        self._catalogue = catalogue

    def run(self, task: Task) -> Outcome:
        memory, seconds = task.memory, {}
        codes, items, lengths = tokens(self._catalogue, task.rows)
        if memory is None:
            started = time.perf_counter()
            memory = self._engine.encode(codes, items, lengths)[0]
            seconds["encode"] = time.perf_counter() - started
        context = self._engine.context(memory[None], lengths, task.allowed[None])
        if task.plan is None:
            return self._scan(task, context, memory, seconds)
        found = guided.search(self._engine, context, task.plan, task.k, task.deadline)
        return self._found(task, found, memory, seconds)

    def _scan(self, task: Task, context: Context, memory: F16, seconds: dict[str, float]) -> Outcome:
        started = time.perf_counter()
        scanned = self._engine.scan(context, task.k)
        if scanned is None:
            raise RuntimeError("the ladder offered an exact tier over an engine that cannot scan")
        nodes, rewards = scanned[0][0], scanned[1][0]
        legal = np.isfinite(rewards)
        rows = self._trie.rows(nodes[legal]).tolist()
        pairs = zip(rows, rewards[legal].tolist(), strict=True)
        items = tuple(Scored(row, reward, None, reward) for row, reward in pairs)
        return Outcome(items, memory, seconds | {"prune": time.perf_counter() - started})

    def _found(self, task: Task, found: Found, memory: F16, seconds: dict[str, float]) -> Outcome:
        started = time.perf_counter()
        legal = np.isfinite(found.log_prob[0])
        leaves = found.node[0][legal]
        why = explain.Explanation(found, self._trie) if task.explain else None
        columns = (
            self._trie.rows(leaves).tolist(),
            found.score[0][legal].tolist(),
            found.log_prob[0][legal].tolist(),
            _optional(found.reward, legal),
            why.paths(leaves) if why else [None] * len(leaves),
        )
        items = tuple(Scored(*values) for values in zip(*columns, strict=True))
        seconds |= {
            "expand": sum(step.expand_s for step in found.steps),
            "prune": sum(step.prune_s for step in found.steps),
        }
        rescued = tuple(explain.rescued(step) for step in found.steps)
        levels = why.levels() if why else None
        seconds["items"] = time.perf_counter() - started
        return Outcome(items, memory, seconds, rescued, found.degraded, levels)


def _optional(values: NDArray[np.float32] | None, legal: Bool) -> list[float] | list[None]:
    return [None] * int(legal.sum()) if values is None else values[0][legal].tolist()
