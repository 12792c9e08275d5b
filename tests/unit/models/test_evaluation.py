"""Evaluation against a search written out by hand, user by user, over the deterministic engine."""

from dataclasses import dataclass

import numpy as np
import pytest
from made_world import DEPTH, ITEMS, USERS, World, context_of, guided, made_world, plain

from models.evaluation import (
    Method,
    compare,
    errors,
    evaluate_engine,
    evaluate_scores,
    methods_default,
    popularity,
)
from service.engine.fake import FakeEngine
from service.search.plan import Level, Plan, Rule
from service.search.trie import build


@pytest.fixture
def world() -> World:
    return made_world()


def every_prefix(world: World, user: int) -> list[dict[int, tuple[float, float]]]:
    """Per level: legal node → (log-probability, reward)."""
    context, engine, levels = context_of(world, user), world.engine, []
    beams = engine.root(1)
    for level in range(DEPTH):
        beams = engine.expand(context, beams, level, 10**6)
        reward = engine.prune(context, beams, level, beams.width, 0.0).all_rewards.numpy()[0]
        columns = zip(beams.node.numpy()[0], beams.log_prob.numpy()[0], reward, strict=True)
        levels.append({int(n): (float(p), float(r)) for n, p, r in columns if p > -np.inf})
    return levels


@dataclass
class Fate:
    rank: int
    pool: list[bool]
    kept: list[bool]
    beam: list[bool]


def by_hand(world: World, user: int, k_keep: int, k_plus: int, weight: float, use_prm: bool) -> Fate:
    target = int(world.targets[user])
    ancestors = {int(n) for n in world.trie.path(world.trie.row_leaf[[target]])[0]}
    frontier, fate = [0], Fate(0, [], [], [])
    for facts in every_prefix(world, user):
        pool = sorted((n for n in facts if int(world.trie.parent[n]) in frontier), key=lambda n: -facts[n][0])[:k_plus]
        beam = frontier = pool[:k_keep]
        if use_prm:
            frontier = sorted(pool, key=lambda n: -(facts[n][1] + weight * facts[n][0]))[:k_keep]
        for fates, nodes in ((fate.pool, pool), (fate.kept, frontier), (fate.beam, beam)):
            fates.append(bool(ancestors & set(nodes)))
    rows = [int(world.trie.rows(np.array(leaf))) for leaf in frontier]
    fate.rank = rows.index(target) + 1 if target in rows else 0
    return fate


@pytest.mark.parametrize(
    ("k_keep", "k_plus", "weight", "use_prm"),
    [(10, 10, 0.0, False), (10, 10, 0.0, True), (10, 25, 0.0, True), (12, 30, 0.7, True), (60, 200, 0.0, True)],
)
def test_ranks_and_paths_agree_with_a_search_by_hand(
    world: World, k_keep: int, k_plus: int, weight: float, use_prm: bool
) -> None:
    plan = Plan.uniform(DEPTH, k_keep, k_plus, use_prm=use_prm, rule=Rule(weight, weight))
    (result,) = world.evaluate(Method("x", plan))
    fates = [by_hand(world, user, k_keep, k_plus, weight, use_prm) for user in range(USERS)]
    assert result.rank.tolist() == result.rank_by_order.tolist() == [fate.rank for fate in fates]
    assert result.paths is not None
    assert result.paths.pool.tolist() == [fate.pool for fate in fates]
    assert result.paths.kept.tolist() == [fate.kept for fate in fates]
    assert result.paths.beam.tolist() == [fate.beam for fate in fates]
    assert (result.k_keep, result.k_plus, result.width) == (k_keep, k_plus, k_keep)


def test_the_exact_scan_ranks_every_legal_item_by_reward(world: World) -> None:
    (exact,) = world.evaluate(Method("exact", None))
    for user in range(USERS):
        reward = {n: r for n, (_, r) in every_prefix(world, user)[-1].items()}
        order = [int(world.trie.rows(np.array(n))) for n in sorted(reward, key=lambda n: -reward[n])]
        assert not set(order) & set(world.histories[user].tolist())
        place = order.index(int(world.targets[user])) + 1
        assert exact.rank[user] == (place if place <= exact.width else 0)


def test_a_search_that_keeps_everything_is_the_exact_scan(world: World) -> None:
    everything, exact = world.evaluate(guided(ITEMS, 10**6), Method("exact", None))
    np.testing.assert_array_equal(everything.rank, exact.rank)
    assert (everything.rank > 0).all()
    assert everything.hrecall() == pytest.approx([1, 1, 1])
    split = errors(everything, exact)
    assert (split.search, split.luck) == (0, 0)
    assert split.model == pytest.approx(1 - exact.recall(10))


def test_misses_are_search_error_plus_model_error_minus_luck(world: World) -> None:
    narrow, exact = world.evaluate(plain(12), Method("exact", None))
    split = errors(narrow, exact)
    hits, known = (narrow.rank > 0) & (narrow.rank <= 10), (exact.rank > 0) & (exact.rank <= 10)
    assert split.search == pytest.approx(sum(e and not h for h, e in zip(hits, known, strict=True)) / USERS)
    assert 1 - narrow.recall(10) == pytest.approx(split.search + split.model - split.luck)
    assert split.search > 0
    assert split.luck > 0


def test_neither_batches_nor_other_methods_change_a_result(world: World) -> None:
    methods = [plain(10), guided(10, 20), Method("exact", None)]
    together = world.evaluate(*methods, batch=7)
    alone = [world.evaluate(method, batch=1)[0] for method in methods]
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_array_equal(one.rank, other.rank)
        assert one.hrecall() == pytest.approx(other.hrecall())


def test_results_survive_renumbering_of_the_items(world: World) -> None:
    new_row = np.random.default_rng(9).permutation(ITEMS).astype(np.int32) + 1
    sids = np.empty_like(world.sids)
    sids[new_row - 1] = world.sids
    histories = [new_row[history - 1] for history in world.histories]
    renumbered = World(sids, build(sids), histories, new_row[world.targets - 1])
    methods = [plain(10), guided(10, 25, 0.3), Method("exact", None)]
    for before, after in zip(world.evaluate(*methods), renumbered.evaluate(*methods), strict=True):
        np.testing.assert_array_equal(before.rank, after.rank)
        assert before.hrecall() == pytest.approx(after.hrecall())


def test_a_target_already_seen_is_a_miss_for_everyone(world: World) -> None:
    seen = np.array([history[0] for history in world.histories], np.int32)
    repeated = World(world.sids, world.trie, world.histories, seen)
    for result in repeated.evaluate(guided(ITEMS, 10**6), Method("exact", None)):
        assert not result.rank.any()
    scored = evaluate_scores(popularity(np.arange(ITEMS)), repeated.histories, repeated.targets, name="popularity")
    assert not scored.rank.any()


def test_plans_that_narrow_by_depth_list_as_many_as_they_keep_everywhere(world: World) -> None:
    plan = Plan((Level(20, 40), Level(15, 40), Level(30, 30)))
    (result,) = world.evaluate(Method("uneven", plan))
    assert (result.width, result.k_keep, result.k_plus) == (15, 30, 40)
    assert result.rank.max() <= 15


def test_the_default_methods_are_those_of_the_protocol() -> None:
    names = [method.name for method in methods_default(3)]
    assert names == ["beam50", *(f"guided 50/{k}" for k in (50, 100, 200, 400, 800)), "exact"]
    assert "exact" not in [method.name for method in methods_default(3, exact=False)]
    assert all(m.plan.rule == Rule(0.25, 0.5) for m in methods_default(3, rule=Rule(0.25, 0.5))[1:-1] if m.plan)


def test_an_exact_scan_that_the_prm_forbids_is_refused(world: World) -> None:
    engine = FakeEngine(world.trie, has_scan=False)
    data = (world.trie, world.sids, world.histories, world.targets)
    with pytest.raises(ValueError, match="no exact scan"):
        evaluate_engine(engine, *data, [Method("exact", None)])


def test_a_wider_pool_never_holds_less_at_the_first_level(world: World) -> None:
    widths = (4, 8, 16)
    methods = [guided(10, wide) for wide in widths]
    data = (world.trie, world.sids, world.histories, world.targets)
    results = evaluate_engine(world.engine, *data, methods, timed=0)
    assert [result.method for result in results] == [f"guided 10/{wide}" for wide in widths]
    held = [result.paths.pool[:, 0].mean() for result in results if result.paths]
    assert held == sorted(held)


def test_progress_counts_every_user_once_and_timing_covers_the_sample(world: World) -> None:
    done: list[int] = []
    data = (world.trie, world.sids, world.histories, world.targets)
    methods = [plain(10), guided(10, 20)]
    results = evaluate_engine(world.engine, *data, methods, batch=16, timed=6, progress=done.append)
    assert sum(done) == USERS
    assert all(result.ms.shape == (6,) and (result.ms > 0).all() for result in results)


@pytest.mark.parametrize(("history", "target"), [([], 1), ([2], ITEMS + 1), ([ITEMS + 1], 1), ([0, 2], 1)])
def test_bad_users_are_refused_in_one_sentence(world: World, history: list[int], target: int) -> None:
    users = [np.array(history, np.int32)], np.array([target], np.int32)
    with pytest.raises(ValueError, match=r"without history|must lie in 1 \.\. 70"):
        evaluate_engine(world.engine, world.trie, world.sids, *users, [plain(10)])


def test_a_search_and_a_full_ranking_are_compared_pair_by_pair(world: World) -> None:
    (search_result,) = world.evaluate(guided(10, 25))
    scored = evaluate_scores(popularity(world.sids[:, 0]), world.histories, world.targets, name="scores", timed=0)
    pairs = compare(search_result, scored, seed=1)
    assert pairs["recall@10"].difference == pytest.approx(search_result.recall(10) - scored.recall(10))
    assert pairs["ndcg@10"].low <= pairs["ndcg@10"].difference <= pairs["ndcg@10"].high
