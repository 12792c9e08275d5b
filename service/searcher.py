"""A batch of requests on the device thread: encode what no cache held, level 1 for all, a tier for each, the rest."""

import logging
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from service import outcomes
from service.budget.controller import Controller, Signals
from service.budget.cost import LEVEL1
from service.budget.difficulty import Gauge
from service.budget.ladder import AUTO, Choice, Ladder
from service.encoding import Encoding
from service.engine.catalogue import Catalogue
from service.engine.padding import newest_first, padded
from service.engine.protocol import F16, Context, Engine, Extension
from service.outcomes import Listed
from service.search import staged
from service.search.guided import Found
from service.search.plan import Plan
from service.search.scanned import scan
from service.search.spent import spent
from service.search.staged import FirstLevel
from service.search.strategies.shelf import BEAM
from service.search.trie import Trie
from service.tasks import Encodings, Outcome, Reply, Task

log = logging.getLogger(__name__)


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
        batch.explain()
        if batch.broken:
            log.warning("items that broke rules were left out: %s", dict(batch.broken))

    def encode(self, tasks: Sequence[Task]) -> tuple[list[F16], dict[bytes, F16]]:
        """The encoding of every task, and those made just now; a history is encoded once however often it occurs."""
        return Encoding(self.engine, self.catalogue, self.encodings, self.encoder, self.extension)(tasks)


class _Batch:
    """One run of the searcher."""

    def __init__(self, searcher: Searcher, replies: Sequence[Reply], backlog: int) -> None:
        self.searcher, self.replies, self.backlog = searcher, replies, backlog
        self.tasks = [reply.job for reply in replies]
        self.unexplained: list[tuple[int, Found, int, Outcome]] = []
        self.broken: Counter[str] = Counter()
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
            task = self.tasks[row]
            listed = outcomes.scanned(self.searcher.trie, task, scanned[0][at], scanned[1][at])
            self.replies[row].deliver(self._outcome(row, listed, cast(Choice, task.choice), seconds))

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
        choices = self._routed(first, self._choices(rows, first))
        groups: dict[tuple[Plan, int], list[int]] = defaultdict(list)
        for at, choice in enumerate(choices):
            plan = cast(Plan, choice.plan)  # routed: no scan is among them
            # What more passes open depends on the k best, so only requests of one k take them together.
            groups[plan, self.tasks[rows[at]].k if plan.finishing else 0].append(at)
        for (plan, _), members in sorted(groups.items(), key=lambda group: group[0][0].levels[-1].k_plus):
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

    def _routed(self, first: FirstLevel, choices: list[Choice]) -> list[Choice]:
        """The same, but the cheap way for those that a route sends there."""
        for routing in {choice.plan.routing for choice in choices if choice.plan and choice.plan.routing}:
            dear = routing.dear(first, self.searcher.trie.code[first.children.node.numpy()])
            for at, choice in enumerate(choices):
                if choice.plan and choice.plan.routing == routing and not dear[at]:
                    choices[at] = choice.taking(routing.cheap)
        return choices

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
        own = [at for at in members if self.tasks[rows[at]].strategy == searcher.ladder.strategy]
        if on_time and own:  # another strategy is not what its tier was calibrated with
            tier, seconds = choices[own[0]].tier, time.perf_counter() - started
            width = searcher.ladder.k_plus(tier, self.tasks[rows[own[0]]].k)  # as its cost was calibrated by
            searcher.controller.observe(tier, width, len(members), seconds)

    def _found(self, rows: list[int], done: Sequence[int], found: Found, choices: list[Choice]) -> None:
        started = time.perf_counter()
        levels = list(zip(*(spent(step) for step in found.steps), strict=True))
        seconds = {
            "expand": sum(step.expand_s for step in found.steps),
            "prune": sum(step.prune_s for step in found.steps),
        }
        for at, member in enumerate(done):
            row, task = rows[member], self.tasks[rows[member]]
            listed = outcomes.searched(self.searcher.trie, task, found, at, levels[at])
            stages = seconds | {"items": time.perf_counter() - started}
            outcome = self._outcome(row, listed, choices[member], stages)
            if task.explain:
                self.unexplained.append((row, found, at, outcome))
            else:
                self.replies[row].deliver(outcome)

    def explain(self) -> None:
        """Those who asked for it, after everyone else has an answer, and apart from what the budget measures."""
        engine, catalogue = self.searcher.engine, self.searcher.catalogue
        for row, found, at, outcome in self.unexplained:
            own, task = engine.take(self.context, [row]), self.tasks[row]
            told = outcomes.explained(engine, catalogue, own, task, found, at, outcome, time.perf_counter)
            self.replies[row].deliver(told)

    def _outcome(self, row: int, listed: Listed, choice: Choice, seconds: dict[str, float]) -> Outcome:
        self.broken.update(listed.broken)
        (items, broken, levels, late), task, size = listed, self.tasks[row], len(self.replies)
        memory, stages = self.fresh.get(task.key), self.seconds | seconds
        tried = listed.checks() if task.explain else None
        return Outcome(items, choice, memory, stages, size, levels, late, broken=broken, checks=tried)

    def _may_prune(self, task: Task) -> bool:
        return task.strategy != BEAM and (task.choice is None or bool(task.choice.plan and task.choice.plan.use_prm))
