"""Choosing on the host: the order of a stable sort, whatever way it is found."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.search.choosing import SORTED_WHOLE, beams, best, keep, pick, scores

F32 = NDArray[np.float32]
INF = float("inf")


def wanted(values: F32, count: int) -> list[list[int]]:
    """Largest first, the first of equals first: said with Python's own stable sort."""
    return [sorted(range(len(row)), key=lambda at: -row[at])[:count] for row in values.tolist()]


@settings(max_examples=150, deadline=None)
@given(
    batch=st.integers(1, 4),
    width=st.integers(1, 80) | st.sampled_from([SORTED_WHOLE, SORTED_WHOLE + 1, 2 * SORTED_WHOLE, 3000]),
    count=st.integers(1, 60) | st.sampled_from([700, SORTED_WHOLE, 5000]),
    levels=st.sampled_from([1, 2, 5, 10**6]),
    filler=st.floats(0, 1),
    seed=st.integers(0, 10**6),
)
def test_the_best_are_those_of_a_stable_sort(
    batch: int, width: int, count: int, levels: int, filler: float, seed: int
) -> None:
    """Few levels make many ties; filler is minus infinity."""
    rng = np.random.default_rng(seed)
    values = (rng.integers(0, levels, (batch, width)) / levels - 0.5).astype(np.float32)
    values[rng.random((batch, width)) < filler] = -INF
    found = best(values, count)
    assert found.dtype == np.int32
    assert found.shape == (batch, min(count, width))
    assert found.tolist() == wanted(values, count)


@pytest.mark.parametrize("width", [50, 4 * SORTED_WHOLE])
def test_all_equal_and_all_filler_keep_their_order(width: int) -> None:
    for value in (0.25, -INF):
        assert best(np.full((2, width), value, np.float32), 20).tolist() == [list(range(20))] * 2


def test_both_ways_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    partition = np.partition

    def counted(costs: F32, place: int) -> F32:
        calls.append(len(costs))
        return partition(costs, place)

    monkeypatch.setattr(np, "partition", counted)
    best(np.zeros((3, SORTED_WHOLE), np.float32), 10)
    assert not calls
    best(np.zeros((3, SORTED_WHOLE + 1), np.float32), 10)
    assert calls == [SORTED_WHOLE + 1] * 3


@pytest.mark.parametrize("weight", [0.0, 0.3, 2.0])
def test_filler_scores_minus_infinity_whatever_its_reward(weight: float) -> None:
    reward, log_prob = np.array([[5.0, 1.0, 9.0]], np.float32), np.array([[-1.0, -2.0, -INF]], np.float32)
    found = scores(reward, log_prob, weight)
    assert found.dtype == np.float32
    assert found[0].tolist() == pytest.approx([5 - weight, 1 - 2 * weight, -INF])


@given(batch=st.integers(1, 3), seed=st.integers(0, 999), k_keep=st.integers(1, 12))
def test_what_is_kept_comes_with_its_own_figures(batch: int, seed: int, k_keep: int) -> None:
    rng = np.random.default_rng(seed)
    node = rng.permutation(batch * 10).reshape(batch, 10).astype(np.int32)
    log_prob, reward = (rng.normal(size=(batch, 10)).astype(np.float32) for _ in range(2))
    log_prob[:, 7:] = -INF
    kept = keep(node, log_prob, reward, k_keep, 0.5)
    order = kept.order.numpy()
    assert order.tolist() == wanted(scores(reward, log_prob, 0.5), k_keep)
    assert kept.kept.width == min(k_keep, 10)
    for picked, whole in ((kept.kept.node, node), (kept.kept.log_prob, log_prob), (kept.reward, reward)):
        assert np.array_equal(picked.numpy(), np.take_along_axis(whole, order, 1))
        assert np.array_equal(picked.numpy(), pick(whole, order))
    assert np.array_equal(kept.all_rewards.numpy(), reward)


def test_beams_know_their_width() -> None:
    made = beams(np.zeros((2, 5), np.int32), np.zeros((2, 5), np.float32))
    assert made.width == 5
    assert made.node.numpy().shape == made.log_prob.numpy().shape == (2, 5)
