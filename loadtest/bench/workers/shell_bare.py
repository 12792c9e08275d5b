"""The engine alone, for the shell benchmark: encodings known, widths fixed; no HTTP, no queue, no budget.

Usage: python -m loadtest.bench.workers.shell_bare FOLDER CORE BATCH, with the line protocol of
`loadtest.bench.process`: requests are searched BATCH at a time, and each is charged its share of its batch.
"""

import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from service.budget.ladder import Ladder
from service.engine.padding import newest_first, padded
from service.engine.protocol import F16, I32
from service.items import resolve, tokens
from service.loading import load_model
from service.search import guided
from service.search.legality import Banned, banned
from service.settings import Settings

Listed = list[tuple[str, float]]
WORK = "work.json"


@dataclass(frozen=True)
class Work:
    """What every side is asked: k items for each of these histories, over this bundle, at this tier."""

    bundle: str
    tier: str
    k: int
    histories: list[list[str]]

    def save(self, folder: Path) -> None:
        """Write work.json into an existing folder."""
        (folder / WORK).write_text(json.dumps(asdict(self)))

    @staticmethod
    def load(folder: Path) -> "Work":
        """Read back what `save` wrote."""
        return Work(**json.loads((folder / WORK).read_text()))


@dataclass(frozen=True)
class Prepared:
    """A request as the engine takes it: its encoding [T,D], what it may not be shown, and its item rows [T]."""

    memory: F16
    banned: Banned
    rows: I32


class Bare:
    """The engine of a bundle and the plan of one tier. From one thread."""

    def __init__(self, bundle: Path, tier: str) -> None:
        model = load_model(bundle, Settings.model_construct(device="cpu", threads=1))
        walk = model.auto
        ladder = Ladder(model.trie.depth, model.rule, model.has_scan, walk.tiers, walk.widths, model.engine.pool)
        plan = ladder.choice(tier, tier, "", 1).plan
        assert plan is not None, "an exact scan is no search"
        self._plan, self._model, self._engine = plan, model, model.engine

    def prepare(self, history: Sequence[str], memory: F16 | None = None) -> Prepared:
        """Item ids, oldest first; encoded here unless the encoding is known."""
        known = resolve(self._model.catalogue, history, self._model.history_limit)
        if memory is None:
            memory = self._engine.encode(*tokens(self._model.catalogue, known.rows))[0]
        return Prepared(memory, banned(self._model.trie, known.seen), known.rows)

    def search(self, batch: Sequence[Prepared], k: int) -> list[Listed]:
        """The k best items of every request and their scores, best first."""
        lengths = np.array([len(one.memory) for one in batch], np.int32)
        memory = padded([one.memory[None] for one in batch])
        history = newest_first([one.rows for one in batch], self._model.catalogue.learned)
        context = self._engine.context(memory, lengths, [one.banned for one in batch], history)
        found = guided.search(self._engine, context, self._plan, k)
        ids, rows = self._model.catalogue.ids, self._model.trie.rows(found.node)
        pairs = zip(rows.tolist(), found.score.tolist(), strict=True)
        return [[(ids[row - 1], score) for row, score in zip(*pair, strict=True)] for pair in pairs]


def main(folder: Path, core: int, batch: int) -> None:
    """Pin, open, encode every history, say so, then search what is asked."""
    os.sched_setaffinity(0, {core})
    work = Work.load(folder)
    bare = Bare(Path(work.bundle), work.tier)
    known = [bare.prepare(history) for history in work.histories]
    print(json.dumps({"ready": True, "pid": os.getpid()}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        times: list[int] = []
        requests = [known[number] for number in asked["requests"]]
        for part in (requests[at : at + batch] for at in range(0, len(requests), batch)):
            started = time.perf_counter_ns()
            bare.search(part, work.k)
            times += [(time.perf_counter_ns() - started) // len(part)] * len(part)
        print(json.dumps({"round": asked["round"], "ns": times}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
