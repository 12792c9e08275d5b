"""Searches told by their widths alone, over the service's search: ranks, what the scan shares with them, CPU time."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from models.evaluation.counting import Counting
from models.evaluation.offered import tier
from models.evaluation.overlap import overlaps
from models.evaluation.ranking import Method, Users, evaluate_engine, open_engine, rule_of
from models.full_ranking import sample
from models.metrics import F32, F64, I32
from models.results import Result
from models.scaling.flops import Sizes
from models.scaling.ways import Way, Widths
from service.search.guided import search
from service.search.plan import Level, Plan
from service.search.scanned import scan

WARM_UP = 3
LISTED = 10
BATCH, LARGE, FEW = 64, 100_000, 8  # users at once; of a catalogue this large, so many


class Sweeper:
    """One bundle on one core.

    Raises:
        BundleError, DeviceError: as the service's engine does.
    """

    def __init__(self, bundle: Path) -> None:
        self.engine = open_engine(bundle)
        self.bundle, self.manifest = self.engine.bundle, self.engine.bundle.manifest
        self.batch = FEW if self.manifest.items > LARGE else BATCH

    def sizes(self) -> Sizes:
        """Of the bundle and its trie."""
        trie, depth = self.engine.trie, self.engine.depth
        prefixes = np.diff(trie.level_start)[1 : depth + 1].tolist()
        profiles = self.bundle.relations.get("profiles") if self.manifest.correction else None
        profile = 0 if profiles is None else int(profiles.shape[1])
        return Sizes.of(self.manifest, prefixes, [trie.branching(level) for level in range(depth)], profile)

    def default(self) -> Widths:
        """What the default tier keeps and expands, level by level."""
        plan = tier(self.manifest).plan
        return tuple((level.k_keep, level.k_plus) for level in plan.levels) if plan else ()

    def judge(self, ways: Sequence[Way], histories: Sequence[I32], targets: I32, timed: int) -> list[Result]:
        """A result for each way; `ms` are CPU milliseconds of `timed` users alone."""
        methods, limit = [self._method(way) for way in ways], self.engine.history_limit
        common = (self.engine, self.engine.trie, self.bundle.catalogue.sids, histories, targets)
        found = evaluate_engine(*common, methods, batch=self.batch, history_limit=limit, timed=0)
        times = self.timings(histories, targets, methods, timed)
        return [replace(result, ms=ms) for result, ms in zip(found, times, strict=True)]

    def rank(
        self, methods: Sequence[Method], histories: Sequence[I32], targets: I32, counting: Counting
    ) -> list[Result]:
        """A result for each method, lists of LISTED, untimed; `counting`, over this engine, is told what it asks."""
        common = (counting, self.engine.trie, self.bundle.catalogue.sids, histories, targets, methods)
        limit, told = self.engine.history_limit, counting.starting
        return evaluate_engine(
            *common, k=LISTED, batch=self.batch, history_limit=limit, timed=0, starting=told, exactly=True
        )

    def kept(self, ways: Sequence[Way], histories: Sequence[I32], targets: I32) -> dict[str, F64]:
        """By way, share [U] of the scan's ten items that are among its ten."""
        methods, limit = [self._method(way) for way in ways], self.engine.history_limit
        common = (self.engine, self.engine.trie, self.bundle.catalogue.sids, histories, targets)
        return {found.name: found.kept for found in overlaps(*common, methods, batch=self.batch, history_limit=limit)}

    def _method(self, way: Way) -> Method:
        pool = self.engine.pool if way.corrected else 0
        if not way.levels:
            return Method(way.name, None, pool)
        levels, rule = tuple(Level(*pair) for pair in way.levels), rule_of(self.manifest.scoring)
        return Method(way.name, Plan(levels, bool(way.depths), rule, way.depths, pool))

    def timings(self, histories: Sequence[I32], targets: I32, methods: Sequence[Method], timed: int) -> list[F32]:
        """[timed] per method, cold encode included; CPU time leaves out what other programs take of the machine.

        Methods run in shuffled order: what ran before leaves the caches warm or cold.
        """
        users = Users(self.engine.trie, self.bundle.catalogue.sids, histories, targets, self.engine.history_limit)
        chosen, rng = sample(len(targets), timed, 0), np.random.default_rng(0)
        times = np.zeros((WARM_UP + len(chosen), len(methods)), np.float32)
        for row, user in enumerate([*(chosen * WARM_UP)[:WARM_UP], *chosen]):
            for place in rng.permutation(len(methods)):
                times[row, place] = self._once(users, methods[place], user)
        return list(times[WARM_UP:].T.copy())

    def _once(self, users: Users, one: Method, user: int) -> float:
        start = time.process_time()
        context = users.context(self.engine, np.array([user]))
        if one.plan:
            search(self.engine, context, one.plan, LISTED)
        else:
            scan(self.engine, context, LISTED, one.pool)
        return (time.process_time() - start) * 1e3
