"""The fake engine obeys the rules of a real one, so that what passes over it means something."""

import numpy as np
import pytest
from made import made_catalogue

from service.engine.fake import FakeEngine
from service.engine.protocol import Beams, Context, Engine
from service.search.guided import search
from service.search.plan import Level, Plan
from service.search.trie import banned, build

CATALOGUE = made_catalogue(items=120, depth=3, codes=7, seed=3)
TRIE = build(CATALOGUE.sids)
ENGINE = FakeEngine(TRIE)


def context(histories: list[list[int]], excluded: list[int] | None = None, engine: FakeEngine = ENGINE) -> Context:
    length = max(map(len, histories))
    items = np.array([[*rows, *[0] * (length - len(rows))] for rows in histories], np.int32)
    codes = np.where(items[..., None] > 0, CATALOGUE.sids[items - 1], 0).astype(np.int32)
    lengths = np.array([len(rows) for rows in histories], np.int32)
    illegal = [banned(TRIE, excluded or [])] * len(histories)
    return engine.context(engine.encode(codes, items, lengths), lengths, illegal)


def rows_found(given: Context, plan: Plan, k: int) -> list[list[int]]:
    found = search(ENGINE, given, plan, k)
    return [TRIE.rows(node[np.isfinite(log)]).tolist() for node, log in zip(found.node, found.log_prob, strict=True)]


def test_it_is_an_engine() -> None:
    engine: Engine = ENGINE
    assert engine.depth == 3


def test_a_row_of_a_batch_is_what_it_is_alone() -> None:
    plan = Plan.uniform(3, 10, 40)
    together = rows_found(context([[1, 2, 3], [9], [4, 5]]), plan, 10)
    assert together == [rows_found(context([rows]), plan, 10)[0] for rows in ([1, 2, 3], [9], [4, 5])]
    assert together[0] != together[1]


def test_histories_that_differ_in_order_differ() -> None:
    one, other = (
        ENGINE.encode(CATALOGUE.sids[rows - 1][None], rows[None], np.array([3], np.int32))
        for rows in (np.array([1, 2, 3], np.int32), np.array([2, 1, 3], np.int32))
    )
    assert one.shape == (1, 3, 8)
    assert one.dtype == np.float16
    assert not np.array_equal(one, other)


def test_children_are_ordered_legal_and_sum_to_one() -> None:
    given = context([[5, 6]])
    level_one = ENGINE.expand(given, ENGINE.root(1), 0, 100)
    log_prob = level_one.log_prob.numpy()[0]
    assert np.all(np.diff(log_prob) <= 0)
    assert np.exp(log_prob[np.isfinite(log_prob)]).sum() == pytest.approx(1, abs=1e-5)
    level_two = ENGINE.expand(given, level_one, 1, 1000)
    assert np.exp(level_two.log_prob.numpy()).sum() == pytest.approx(1, abs=1e-4)
    check_nodes(level_one, 1)
    check_nodes(level_two, 2)


def check_nodes(beams: Beams, depth: int) -> None:
    """Each prefix of this depth at most once; filler is the root."""
    node, real = beams.node.numpy()[0], np.isfinite(beams.log_prob.numpy()[0])
    assert np.isin(node[real], np.arange(TRIE.level_start[depth], TRIE.level_start[depth + 1])).all()
    assert len(set(node[real].tolist())) == real.sum() > 0
    assert not node[~real].any()


def test_what_is_excluded_never_comes_back_and_fewer_is_fewer() -> None:
    allowed = {7, 19, 60}
    given = context([[1]], excluded=[row for row in range(1, 121) if row not in allowed])
    assert set(rows_found(given, Plan.uniform(3, 10, 40), 10)[0]) == allowed
    assert set(rows_found(given, Plan.uniform(3, 10, 10, use_prm=False), 10)[0]) == allowed


def test_everything_kept_is_the_exact_scan() -> None:
    given = context([[8, 3, 2]], excluded=[4, 5])
    wide = Plan((Level(400, 400),) * 3)
    nodes, rewards = ENGINE.scan(given, 118) or (None, None)
    assert nodes is not None
    assert rewards is not None
    assert rows_found(given, wide, 118)[0] == TRIE.rows(nodes[0]).tolist()
    assert np.all(np.diff(rewards[0]) <= 0)
    assert not {4, 5} & set(TRIE.rows(nodes[0]).tolist())


def test_a_scan_pads_with_minus_infinity_or_does_not_exist() -> None:
    scanned = ENGINE.scan(context([[1]], excluded=list(range(3, 121))), 5)
    assert scanned is not None
    assert np.isfinite(scanned[1][0]).tolist() == [True, True, False, False, False]
    assert FakeEngine(TRIE, has_scan=False).scan(context([[1]]), 5) is None


def test_it_is_itself_over_another_trie() -> None:
    other = FakeEngine(TRIE, width=5, history_limit=7, has_scan=False).over(build(CATALOGUE.sids[:, :2], [1, 2]))
    assert (other.width, other.history_limit, other.has_scan) == (5, 7, False)
    assert (other.depth, other.trie.leaf_row.tolist()) == (2, [1, 2])
    assert ENGINE.over(TRIE).scan(context([[1]]), 5) is not None
    assert ENGINE.depth == 3


def test_the_weight_moves_the_order_from_reward_to_probability() -> None:
    given = context([[2, 4]])
    children = ENGINE.expand(given, ENGINE.root(1), 0, 7)
    by_reward = ENGINE.prune(given, children, 0, 7, 0.0)
    assert np.all(np.diff(by_reward.reward.numpy()[0]) <= 0)
    by_probability = ENGINE.prune(given, children, 0, 7, 1e6)
    assert by_probability.order.numpy()[0].tolist() == list(range(7))
