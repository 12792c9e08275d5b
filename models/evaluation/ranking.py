"""Ranking of held-out items by the service's own search: every method, every test user.

Protocol: leave-one-out, full ranking over all items, item-level metrics, items of the whole history excluded inside
the search, ties in score shuffled with a seed.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict, Unpack

import numpy as np

from models import metrics
from models.full_ranking import Indices, Progress, Record, batches, check, newest, sample
from models.manifest import Scoring
from models.metrics import F32, I32
from models.results import Paths, Result, choose
from service.engine.bundle import load as load_bundle
from service.engine.graphs import OnnxEngine
from service.engine.padding import newest_first
from service.engine.protocol import Context, Engine
from service.search.guided import Step, search
from service.search.legality import banned
from service.search.plan import Plan, Rule
from service.search.scanned import scan
from service.search.trie import Trie

NO_WEIGHTS = Rule()
K_PLUS = (50, 100, 200, 400, 800)
RULES = (*(Rule(0.0, prefix) for prefix in (0.0, 0.5, 1.0, 2.0)), *(Rule(leaf, leaf) for leaf in (0.1, 0.3)))


class Options(TypedDict, total=False):
    """k: shortest list asked for; batch: users a batch; history_limit: newest items encoded (None = all); seed: ties
    and timing sample; timed: users timed one at a time; progress: called with the number of users just finished.
    """

    k: int
    batch: int
    history_limit: int | None
    seed: int
    timed: int
    progress: Progress | None


@dataclass(frozen=True)
class Method:
    """A way to rank: a search plan, or None for the exact scan, whose best `pool` leaves are then corrected."""

    name: str
    plan: Plan | None
    pool: int = 0

    def wide(self, k: int) -> Plan | None:
        """The plan as the search will run it when k items are asked for."""
        return self.plan.at_least(k) if self.plan else None


def guided(depth: int, k_keep: int, k_plus: int, rule: Rule = NO_WEIGHTS) -> Method:
    """PRM-guided beam search at one width."""
    return Method(f"guided {k_keep}/{k_plus}", Plan.uniform(depth, k_keep, k_plus, rule=rule))


def methods_default(depth: int, *, rule: Rule = NO_WEIGHTS, exact: bool = True) -> list[Method]:
    """Plain beam 50, guided 50/50 … 50/800, and the exact scan where the PRM's form allows one."""
    beam = Method("beam50", Plan.uniform(depth, 50, 50, use_prm=False))
    scan = [Method("exact", None)] if exact else []
    return [beam, *(guided(depth, 50, k_plus, rule) for k_plus in K_PLUS), *scan]


class Users:
    """The users judged, and how they are presented to an engine."""

    def __init__(
        self, trie: Trie, sids: I32, histories: Sequence[I32], targets: I32, history_limit: int | None
    ) -> None:
        check(histories, targets, len(sids), history_limit)
        self.trie, self.histories = trie, histories
        self.newest = newest(histories, history_limit)
        self.codes = np.concatenate([np.zeros((1, sids.shape[1]), np.int32), sids.astype(np.int32)])
        self.target = targets.astype(np.int32)
        self.true = trie.path(trie.row_leaf[targets])

    def context(self, engine: Engine, chosen: Indices) -> Context:
        """Encode these users and mask what they have already seen."""
        shown = [self.newest[user] for user in chosen]
        lengths = np.array([len(history) for history in shown], np.int32)
        items = np.zeros((len(chosen), int(lengths.max())), np.int32)
        for row, history in enumerate(shown):
            items[row, : len(history)] = history
        memory = engine.encode(self.codes[items], items, lengths)
        illegal = [banned(self.trie, self.histories[user]) for user in chosen]
        return engine.context(memory, lengths, illegal, newest_first(shown, len(self.codes) - 1))


def _follow(paths: Paths, chosen: Indices, steps: Sequence[Step], true: I32) -> None:
    """Was the true prefix expanded, kept, and would log-probability alone have kept it?"""
    for step in steps:
        node, log_prob = step.children.node.numpy(), step.children.log_prob.numpy()
        kept, goal = step.kept.node.numpy(), true[:, step.level]
        width = kept.shape[1]
        paths.pool[chosen, step.level] = metrics.holds(node, log_prob, goal)
        paths.beam[chosen, step.level] = metrics.holds(node[:, :width], log_prob[:, :width], goal)
        paths.kept[chosen, step.level] = metrics.holds(kept, step.kept.log_prob.numpy(), goal)


@dataclass(frozen=True)
class _Lists:
    """Rows and scores [B,L], best first; -inf = filler. steps: None for the exact scan."""

    rows: I32
    score: F32
    steps: Sequence[Step]


def _run(engine: Engine, context: Context, trie: Trie, method: Method, k: int) -> _Lists:
    if method.plan is None:
        scanned = scan(engine, context, k, method.pool)
        if scanned is None:
            raise ValueError(f"method {method.name!r}: this PRM's form allows no exact scan")
        return _Lists(leaf_rows(trie, *scanned), scanned[1], ())
    found = search(engine, context, method.plan, k)
    return _Lists(leaf_rows(trie, found.node, found.score), found.score, found.steps)


def leaf_rows(trie: Trie, node: I32, score: F32) -> I32:
    """Item rows of leaves [B,L]; those of filler (score -inf) mean nothing."""
    # Filler may carry any node, even one that is no leaf.
    return trie.rows(np.where(score > -np.inf, node, trie.first_leaf).astype(np.int32))


def _widths(methods: Sequence[Method], k: int, exactly: bool) -> list[int]:
    """Length of every method's lists: as many as the search keeps at every level; the scan's as long as the longest."""
    if exactly:
        return [k] * len(methods)
    plans = [method.wide(k) for method in methods]
    kept = [min(level.k_keep for level in plan.levels) if plan else k for plan in plans]
    return [width if plan else max(kept) for plan, width in zip(plans, kept, strict=True)]


def evaluate_engine(
    engine: Engine,
    trie: Trie,
    sids: I32,
    histories: Sequence[I32],
    targets: I32,
    methods: Sequence[Method],
    *,
    k: int = 10,
    batch: int = 64,
    history_limit: int | None = None,
    seed: int = 0,
    timed: int = 200,
    progress: Progress | None = None,
    starting: Callable[[Method], None] | None = None,
    exactly: bool = False,
) -> list[Result]:
    """Rank every user's target with every method; histories are item rows (1-based), oldest first; targets int32 [U].

    Encodings and masks are computed once a batch and shared by the methods. Then `timed` users, a seeded sample, are
    run alone, cold encode, mask and search included; threads are the engine's. `starting` is told which method runs
    the next batch. `exactly`: lists of k, as a request for k items gets, not as long as a plan's widths allow.

    Raises:
        ValueError: an empty history, a row outside the catalogue, or an exact scan that the PRM's form forbids.
    """
    users = Users(trie, sids, histories, targets, history_limit)
    draw, widths = np.random.default_rng(seed).random(len(targets)), _widths(methods, k, exactly)
    records = [Record(len(targets), trie.depth) for _ in methods]
    for chosen in batches(users.newest, batch):
        context = users.context(engine, chosen)
        for method, width, record in zip(methods, widths, records, strict=True):
            if starting:
                starting(method)
            lists = _run(engine, context, trie, method, width)
            record.rank(chosen, metrics.rank_in_list(lists.rows, lists.score, users.target[chosen], draw[chosen]))
            _follow(record.paths, chosen, lists.steps, users.true[chosen])
        if progress:
            progress(len(chosen))
    ms = _timings(engine, users, methods, k, timed, seed)
    return [_result(*row, users.target, k) for row in zip(methods, widths, records, ms, strict=True)]


def _result(method: Method, width: int, record: Record, ms: F32, target: I32, k: int) -> Result:
    plan, paths = method.wide(k), record.paths
    k_keep = max(level.k_keep for level in plan.levels) if plan else 0
    k_plus = max(level.k_plus for level in plan.levels) if plan else 0
    return Result(
        method.name, target, record.shuffled, record.by_order, width, k_keep, k_plus, paths if plan else None, ms
    )


def _timings(engine: Engine, users: Users, methods: Sequence[Method], k: int, timed: int, seed: int) -> list[F32]:
    """Milliseconds [timed] per method; methods take turns on each user, so that drift of the machine is shared."""

    def once(method: Method, user: int) -> float:
        start = time.perf_counter()
        _run(engine, users.context(engine, np.array([user])), users.trie, method, k)
        return (time.perf_counter() - start) * 1e3

    chosen = sample(len(users.target), timed, seed)
    times = [[once(method, user) for method in methods] for user in [*chosen[:3], *chosen]]
    # The first three only warmed up.
    kept = np.array(times[len(chosen[:3]) :], np.float32)
    return list(kept.reshape(len(chosen), len(methods)).T)


def rule_of(scoring: Scoring) -> Rule:
    """A manifest's scoring rule as the search takes it."""
    return Rule(scoring.leaf, scoring.prefix)


def open_engine(bundle: Path, threads: int = 1) -> OnnxEngine:
    """The service's engine over the bundle in this folder, on the CPU; raises as `service.engine` does."""
    return OnnxEngine(load_bundle(bundle), "cpu", threads)


def choose_rule(
    engine: Engine,
    trie: Trie,
    sids: I32,
    histories: Sequence[I32],
    targets: I32,
    *,
    k_keep: int = 50,
    k_plus: int = 200,
    rules: Sequence[Rule] = RULES,
    **options: Unpack[Options],
) -> tuple[Rule, list[Result]]:
    """The scoring rule chosen on validation users (never on test users), and the result of each rule.

    The first rule, the PRM alone, gives way to the best NDCG@10 only where the paired 95 % interval lies above zero:
    the best of many is otherwise luck. Among rules that NDCG@10 cannot tell from it, the one that keeps the most true
    prefixes (mean HRecall over depths): what survives is what wider lists, filters and later scorers can use.
    """
    plans = [(rule, Plan.uniform(trie.depth, k_keep, k_plus, rule=rule)) for rule in rules]
    methods = [Method(f"{rule.prefix:g}/{rule.leaf:g}", plan) for rule, plan in plans]
    untimed: Options = {"timed": 0, **options}
    results = evaluate_engine(engine, trie, sids, histories, targets, methods, **untimed)
    return rules[choose(results)], results
