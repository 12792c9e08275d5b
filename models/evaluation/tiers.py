"""Every tier of the ladder over the same users: their lists, what level 1 knew, and what each part costs."""

import time
from collections.abc import Mapping, Sequence

import numpy as np

from models import metrics
from models.evaluation.ranking import Users, leaf_rows
from models.full_ranking import Indices, Progress, batches, sample
from models.manifest import Walk
from models.metrics import F32, F64, I32
from models.spending import LISTED, Spending, Times, digest
from service.budget.difficulty import LEARNED, SIGNALS, Beliefs, Gauge
from service.budget.ladder import SEARCHES, Ladder, Widths
from service.engine.graphs import OnnxEngine
from service.engine.protocol import Context, Engine
from service.search import staged
from service.search.guided import Deadline, search
from service.search.plan import Plan, Rule
from service.search.scanned import scan
from service.search.staged import FirstLevel
from service.search.trie import Trie

WARM_UP = 3
MIX = ("joint_entropy", "divergence")  # the other measures add nothing to a learned difficulty


def run_tiers(
    engine: OnnxEngine,
    rule: Rule,
    histories: Sequence[I32],
    targets: I32,
    cases: str,
    *,
    batch: int = 64,
    seed: int = 0,
    timed: int = 200,
    widths: Mapping[str, Widths] | None = None,
    progress: Progress | None = None,
) -> Spending:
    """Run all tiers for users as `evaluate_engine` runs its methods; `cases` names the users in what is kept.

    `widths` tunes tiers as a bundle's manifest would.

    `timed` users, a seeded sample, are run alone, part by part in turn, in CPU time: it leaves out what other
    programs take of the machine. Call with an engine of one thread.

    Raises:
        ValueError: an empty history, or a row outside the catalogue.
    """
    manifest, trie, sids = engine.bundle.manifest, engine.trie, engine.bundle.catalogue.sids
    users = Users(trie, sids, histories, targets, engine.history_limit)
    tuned = dict(widths or {})
    plans = _plans(engine.depth, rule, tuned, engine.pool)
    times = _timings(engine, users, list(plans.values()), timed, seed)
    draw, nothing = np.random.default_rng(seed).random(len(targets)), _empty(len(targets), manifest.codebook)
    names = (manifest.tag, digest(sids), manifest.setting, cases, SEARCHES, tuned)
    found = Spending(*names, users.target, *nothing, times)
    for chosen in batches(users.newest, batch):
        context = users.context(engine, chosen)
        _level1(found, engine, trie, context, chosen)
        share = _scanned(found, engine, users, context, chosen, draw)
        for tier, plan in enumerate(plans.values()):
            lists = search(engine, context, plan, LISTED)
            rows, target = leaf_rows(trie, lists.node, lists.score), users.target[chosen]
            found.rank[chosen, tier] = metrics.rank_in_list(rows, lists.score, target, draw[chosen]).shuffled
            found.expected[chosen, tier] = _expected(share, rows, lists.score)
        if progress:
            progress(len(chosen))
    return found


def _plans(depth: int, rule: Rule, widths: Mapping[str, Widths], pool: int) -> dict[str, Plan]:
    ladder = Ladder(depth, rule, exact=False, widths=widths, pool=pool)
    choices = {name: ladder.choice(name, name, "requested", LISTED) for name in SEARCHES}
    return {name: choice.plan for name, choice in choices.items() if choice.plan}


def _empty(users: int, codebook: int) -> tuple[I32, I32, F32, F32, F32]:
    """rank, exact_rank, expected, log_prob, reward of Spending."""
    unknown = np.full((users, len(SEARCHES)), np.nan, np.float32)
    log_prob, reward = (np.full((users, codebook), -np.inf, np.float32) for _ in range(2))
    return np.zeros((users, len(SEARCHES)), np.int32), np.zeros(users, np.int32), unknown, log_prob, reward


def _level1(found: Spending, engine: Engine, trie: Trie, context: Context, chosen: Indices) -> None:
    first = _first(engine, trie, context)
    assert first.reward is not None
    user, place = np.nonzero(np.isfinite(first.log_prob))
    code = trie.code[first.children.node.numpy()[user, place]]
    found.log_prob[chosen[user], code] = first.log_prob[user, place]
    found.reward[chosen[user], code] = first.reward[user, place]


def _first(engine: Engine, trie: Trie, context: Context) -> FirstLevel:
    return staged.first_level(engine, context, trie.branching(0), True, time.perf_counter)


def _scanned(
    found: Spending, engine: OnnxEngine, users: Users, context: Context, chosen: Indices, draw: F64
) -> F32 | None:
    """Rank by the exact scan; returns the PRM's probability of every item row [B,I+1], None where it cannot scan."""
    most = engine.pool or len(users.codes) - 1  # behind the pool a corrected ranking gives no share worth counting
    scanned = scan(engine, context, most, engine.pool) if engine.has_scan else None
    if scanned is None:
        return None
    nodes, score = scanned
    rows = leaf_rows(engine.trie, nodes, score)
    best, target = (rows[:, :LISTED], score[:, :LISTED]), users.target[chosen]
    found.exact_rank[chosen] = metrics.rank_in_list(*best, target, draw[chosen]).shuffled
    weight = np.exp(score - score[:, :1])
    share = np.zeros((len(chosen), len(users.codes)), np.float32)
    np.put_along_axis(share, rows, weight / weight.sum(1, keepdims=True), 1)
    return share


def _expected(share: F32 | None, rows: I32, score: F32) -> F32 | float:
    if share is None:
        return float("nan")
    discount = 1.0 / np.log2(2.0 + np.arange(rows.shape[1]))
    worth: F32 = (np.where(score > -np.inf, np.take_along_axis(share, rows, 1), 0.0) * discount).sum(1)
    return worth


def _timings(engine: OnnxEngine, users: Users, plans: Sequence[Plan], timed: int, seed: int) -> Times:
    chosen, rng = sample(len(users.target), timed, seed), np.random.default_rng(seed)
    times = [_parts(engine, users, plans, user, rng) for user in [*chosen[:WARM_UP], *chosen]]
    kept = [np.array(column, np.float32) for column in zip(*times[len(chosen[:WARM_UP]) :], strict=True)]
    return Times(*kept)


def _parts(
    engine: OnnxEngine, users: Users, plans: Sequence[Plan], user: int, rng: np.random.Generator
) -> tuple[float, float, list[float], list[float], list[float]]:
    """What Times holds of one user. Tiers run in shuffled order: what ran before leaves the caches warm or cold."""
    alone = np.array([user])
    start = time.process_time()
    context = users.context(engine, alone)
    encode = _since(start)
    gauged, gauge, whole = ([float("nan")] * len(plans) for _ in range(3))
    for tier in rng.permutation(len(plans)):
        gauged[tier], gauge[tier] = _gauged(engine, _fresh(context), plans[tier])
        start = time.process_time()
        search(engine, _fresh(context), plans[tier], LISTED)
        whole[tier] = _since(start)
    start = time.process_time()
    scanned = scan(engine, context, LISTED, engine.pool)
    return encode, _since(start) if scanned else float("nan"), gauged, gauge, whole


def _gauged(engine: OnnxEngine, context: Context, plan: Plan) -> tuple[float, float]:
    """Level 1, its difficulty and what follows, as the service runs one request; of that the difficulty alone."""
    gauge = Gauge(LEARNED, 0.0, dict.fromkeys(MIX, 1.0), (0.0,) * engine.bundle.manifest.codebook)
    start = time.process_time()
    first = _first(engine, engine.trie, context)
    measured = time.process_time()
    gauge(first.log_prob, first.reward, engine.trie.code[first.children.node.numpy()])
    gauge_ms = _since(measured)
    group = staged.begin(engine, context, first, [0], plan, LISTED)
    list(staged.descend(engine, context, group, [Deadline()], time.perf_counter))
    return _since(start), gauge_ms


def _fresh(context: Context) -> Context:
    """The same batch without what was worked out over it."""
    return Context(context.memory, context.lengths, context.banned, context.history)


def _since(start: float) -> float:
    return (time.process_time() - start) * 1e3


def difficulties(spending: Spending, walk: Walk) -> F32:
    """[U]: how hard the service would find these users."""
    learned = walk.learned
    mix = (learned.bias, learned.weights, learned.codes) if learned else (0.0, {}, ())
    codes = np.broadcast_to(np.arange(spending.log_prob.shape[1], dtype=np.int32), spending.log_prob.shape)
    return Gauge(walk.signal, *mix)(spending.log_prob, spending.reward, codes)


def measures(spending: Spending) -> tuple[tuple[str, ...], F64, F64]:
    """Names of the measures to learn from [S], their values [U,S], and the PRM's share of every first code [U,C]."""
    beliefs = Beliefs(spending.log_prob, spending.reward)
    return MIX, np.stack([SIGNALS[name](beliefs) for name in MIX], 1), beliefs.prm.share
