"""A batch of requests on the device thread: encode what no cache held, level 1 for all, a tier for each, the rest."""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from service import explain
from service.budget.controller import Controller, Signals
from service.budget.cost import LEVEL1
from service.budget.difficulty import Gauge
from service.budget.ladder import AUTO, Choice, Ladder
from service.engine.bundle import Catalogue
from service.engine.padding import newest_first, padded
from service.engine.protocol import F16, F32, I32, Context, Engine, Extension
from service.items import tokens
from service.search import staged
from service.search.guided import Found
from service.search.plan import Plan
from service.search.scanned import scan
from service.search.spent import LevelSpent, spent
from service.search.staged import FirstLevel
from service.search.trie import Trie
from service.tasks import Encodings, Outcome, Reply, Scored, Task

NEWEST = 5  # events since the last visit, at most, over which a cached encoding is looked for


@dataclass(frozen=True, eq=False)
class Searcher:
    """An engine over its trie and catalogue, and the budget that spends it. Called from the device thread only.

    `gauge` measures difficulty; None where the walk has no thresholds to compare it with.
    """

    engine: Engine
    trie: Trie
    catalogue: Catalogue
    ladder: Ladder
    controller: Controller
    encodings: Encodings
    encoder: str
    gauge: Gauge | None
    extension: Extension | None = None

    def run(self, replies: Sequence[Reply], backlog: int) -> None:
        """Deliver an outcome to every reply, the cheapest tiers first; `backlog` requests wait behind these."""
        batch = _Batch(self, replies, backlog)
        batch.scan()
        batch.search()

    def encode(self, tasks: Sequence[Task]) -> tuple[list[F16], dict[bytes, F16]]:
        """The encoding of every task, and those made just now; a history is encoded once however often it occurs."""
        known = {task.key: task.memory for task in tasks if task.memory is not None}
        for task in tasks:
            if task.key not in known and (found := self.encodings.peek(task.key, self.encoder)) is not None:
                known[task.key] = found
        missing = {task.key: task.rows for task in tasks if task.key not in known}
        fresh: dict[bytes, F16] = {}
        if missing:
            fresh = self._whole(missing) if self.extension is None else self._grown(missing, self.extension)
            for key, memory in fresh.items():
                self.encodings.keep(key, memory, self.encoder)
        known |= fresh
        return [known[task.key] for task in tasks], fresh

    def _whole(self, missing: Mapping[bytes, I32]) -> dict[bytes, F16]:
        """All of them in one batch."""
        codes, items, lengths = zip(*(tokens(self.catalogue, rows) for rows in missing.values()), strict=True)
        made = self.engine.encode(padded(codes), padded(items), np.concatenate(lengths))
        return {key: made[at, : len(rows)].copy() for at, (key, rows) in enumerate(missing.items())}

    def _grown(self, missing: Mapping[bytes, I32], extension: Extension) -> dict[bytes, F16]:
        """One by one, over the cached encoding of all but the newest items where there is one."""
        made = {}
        for key, rows in missing.items():
            codes, items, _ = (part[0] for part in tokens(self.catalogue, rows))
            made[key] = extension.encode(codes, items, self._before(codes, items))
        return made

    def _before(self, codes: I32, items: I32) -> F16 | None:
        """What memory has of this history as it was at the last visit."""
        for end in range(len(items) - 1, max(0, len(items) - 1 - NEWEST), -1):
            found = self.encodings.peek(self.encodings.key(self.encoder, codes[:end], items[:end]), self.encoder)
            if found is not None:
                return found
        return None


class _Batch:
    """One run of the searcher."""

    def __init__(self, searcher: Searcher, replies: Sequence[Reply], backlog: int) -> None:
        self.searcher, self.replies, self.backlog = searcher, replies, backlog
        self.tasks = [reply.job for reply in replies]
        started = time.perf_counter()
        memories, self.fresh = searcher.encode(self.tasks)
        if searcher.extension is not None:
            memories = [searcher.extension.memory(encoding) for encoding in memories]
        self.seconds = {"encode": time.perf_counter() - started} if self.fresh else {}
        lengths = np.array([len(memory) for memory in memories], np.int32)
        memory = padded([memory[None] for memory in memories])
        rows = [task.rows for task in self.tasks]
        history = newest_first(rows, searcher.catalogue.learned) if searcher.engine.pool else None
        self.context = searcher.engine.context(memory, lengths, [task.banned for task in self.tasks], history)

    def scan(self) -> None:
        """The requests that asked for the exact ranking of all items, together where as many leaves are corrected."""
        groups, pool = defaultdict(list), self.searcher.engine.pool
        for row, task in enumerate(self.tasks):
            if task.choice is not None and task.choice.plan is None:
                groups[max(task.k, pool) if pool else 0].append(row)
        for rows in groups.values():
            self._scan(rows)

    def _scan(self, rows: list[int]) -> None:
        engine, started = self.searcher.engine, time.perf_counter()
        most = max(self.tasks[row].k for row in rows)
        scanned = scan(engine, engine.take(self.context, rows), most, engine.pool)
        if scanned is None:
            raise RuntimeError("the ladder offered an exact tier over an engine that cannot scan")
        seconds = {"prune": time.perf_counter() - started}
        for at, row in enumerate(rows):
            k = self.tasks[row].k
            self._deliver(row, self._scanned(scanned[0][at, :k], scanned[1][at, :k]), self.tasks[row].choice, seconds)

    def search(self) -> None:
        """Everyone else: level 1 together, then one group per plan, the cheapest first."""
        rows = [row for row, task in enumerate(self.tasks) if task.choice is None or task.choice.plan is not None]
        if not rows:
            return
        searcher, clock = self.searcher, time.perf_counter
        use_prm = any(self._may_prune(self.tasks[row]) for row in rows)
        context, width = searcher.engine.take(self.context, rows), searcher.trie.branching(0)
        first = staged.first_level(searcher.engine, context, width, use_prm, clock)
        if use_prm:  # as it was when it was calibrated
            searcher.controller.observe(LEVEL1, 0, len(rows), first.expand_s + first.prune_s)
        choices = self._choices(rows, first)
        groups: dict[Plan, list[int]] = defaultdict(list)
        for at, choice in enumerate(choices):
            assert choice.plan is not None
            groups[choice.plan].append(at)
        for plan, members in sorted(groups.items(), key=lambda group: group[0].levels[-1].k_plus):
            self._group(context, rows, first, plan, members, choices)

    def _choices(self, rows: list[int], first: FirstLevel) -> list[Choice]:
        """What every request will spend: as asked, or as the budget decides now that level 1 is known."""
        now = time.perf_counter()
        asked = ((self.tasks[row].choice, self.tasks[row].k) for row in rows)
        self.searcher.controller.weigh([(choice.tier if choice else None, k) for choice, k in asked])
        undecided = sum(self.tasks[row].choice is None for row in rows)
        hard = self._difficulty(rows, first)
        return [
            self.tasks[row].choice or self._decide(self.tasks[row], hard.get(at), undecided, now)
            for at, row in enumerate(rows)
        ]

    def _difficulty(self, rows: list[int], first: FirstLevel) -> dict[int, float]:
        """By place in the batch, of those the budget decides for. A plain beam has no rewards to tell it by."""
        tasks = [self.tasks[row] for row in rows]
        at = [place for place, task in enumerate(tasks) if task.choice is None and self._may_prune(task)]
        if not at or self.searcher.gauge is None or first.reward is None:
            return {}
        code = self.searcher.trie.code[first.children.node.numpy()[at]]
        hard = self.searcher.gauge(first.log_prob[at], first.reward[at], code)
        return dict(zip(at, hard.tolist(), strict=True))

    def _decide(self, task: Task, hard: float | None, undecided: int, now: float) -> Choice:
        remaining = task.deadline.at - task.deadline.clock()
        signals = Signals(now, remaining, self.backlog, undecided, hard, task.k, task.lowest, task.highest)
        decision = self.searcher.controller.decide(signals)
        ladder = self.searcher.ladder
        return ladder.choice(AUTO, decision.tier, decision.reason, task.k, task.strategy, task.rule)

    def _group(
        self,
        context: Context,
        rows: list[int],
        first: FirstLevel,
        plan: Plan,
        members: list[int],
        choices: list[Choice],
    ) -> None:
        searcher, started = self.searcher, time.perf_counter()
        deadlines = [self.tasks[row].deadline for row in rows]
        k = max(self.tasks[rows[at]].k for at in members)
        group = staged.begin(searcher.engine, context, first, members, plan, k)
        on_time = True
        for done, found in staged.descend(searcher.engine, context, group, deadlines, time.perf_counter):
            self._found(rows, done, found, choices)
            on_time &= not found.degraded
        own = [at for at in members if self.tasks[rows[at]].strategy != "beam"]
        if on_time and own:  # a plain beam is not what its tier was calibrated with
            choice, seconds = choices[own[0]], time.perf_counter() - started
            searcher.controller.observe(choice.tier, choice.k_plus, len(members), seconds)

    def _found(self, rows: list[int], done: Sequence[int], found: Found, choices: list[Choice]) -> None:
        started = time.perf_counter()
        levels = list(zip(*(spent(step) for step in found.steps), strict=True))
        seconds = {
            "expand": sum(step.expand_s for step in found.steps),
            "prune": sum(step.prune_s for step in found.steps),
        }
        for at, member in enumerate(done):
            row, task = rows[member], self.tasks[rows[member]]
            why = explain.Explanation(found, self.searcher.trie, at) if task.explain else None
            items = self._items(found, at, task.k, why)
            trace = why.levels() if why else None
            stages = seconds | {"items": time.perf_counter() - started}
            self._deliver(row, items, choices[member], stages, levels[at], found.degraded, trace)

    def _items(self, found: Found, at: int, k: int, why: explain.Explanation | None) -> tuple[Scored, ...]:
        legal = np.isfinite(found.log_prob[at, :k])
        leaves = found.node[at, :k][legal]
        columns = (
            self.searcher.trie.rows(leaves).tolist(),
            found.score[at, :k][legal].tolist(),
            found.log_prob[at, :k][legal].tolist(),
            [None] * len(leaves) if found.reward is None else found.reward[at, :k][legal].tolist(),
            why.paths(leaves) if why else [None] * len(leaves),
        )
        return tuple(Scored(*values) for values in zip(*columns, strict=True))

    def _scanned(self, nodes: I32, rewards: F32) -> tuple[Scored, ...]:
        legal = np.isfinite(rewards)
        pairs = zip(self.searcher.trie.rows(nodes[legal]).tolist(), rewards[legal].tolist(), strict=True)
        return tuple(Scored(row, reward, None, reward) for row, reward in pairs)

    def _deliver(
        self,
        row: int,
        items: tuple[Scored, ...],
        choice: Choice | None,
        seconds: dict[str, float],
        levels: tuple[LevelSpent, ...] = (),
        degraded: bool = False,
        trace: tuple[explain.LevelTrace, ...] | None = None,
    ) -> None:
        assert choice is not None
        memory = self.fresh.get(self.tasks[row].key)
        stages = self.seconds | seconds
        size = len(self.replies)
        self.replies[row].deliver(Outcome(items, choice, memory, stages, size, levels, degraded, trace))

    def _may_prune(self, task: Task) -> bool:
        return task.strategy != "beam" and (task.choice is None or bool(task.choice.plan and task.choice.plan.use_prm))
