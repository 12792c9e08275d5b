"""Counts and entropy of a level, against their definitions written out."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.engine.protocol import Beams, HostTensor, Pruned
from service.search.guided import Step
from service.search.spent import LevelSpent, entropy, spent

INF = float("inf")


def beams(log_prob: list[list[float]]) -> Beams:
    values = np.array(log_prob, np.float32)
    node = np.zeros(values.shape, np.int32)
    return Beams(HostTensor(node), HostTensor(values), values.shape[1])


def level(log_prob: list[list[float]], reward: list[list[float]] | None, order: list[list[int]]) -> Step:
    children, chosen = beams(log_prob), np.array(order, np.int32)
    if reward is None:
        return Step(1, children, None, 0.0, 0.0)
    kept = beams(np.take_along_axis(np.array(log_prob), chosen, 1).tolist())
    rewards = np.array(reward, np.float32)
    best = HostTensor(np.take_along_axis(rewards, chosen, 1))
    return Step(1, children, Pruned(kept, HostTensor(chosen), best, HostTensor(rewards)), 0.0, 0.0)


def test_rescued_is_kept_beyond_the_beam_of_the_same_width() -> None:
    log_prob = [[-1.0, -2.0, -3.0, -4.0], [-1.0, -2.0, -INF, -INF]]
    reward = [[0.0, 3.0, 2.0, 1.0], [1.0, 1.0, -INF, -INF]]
    one, two = spent(level(log_prob, reward, [[1, 2], [0, 1]]))
    assert (one.level, one.expanded, one.kept, one.rescued) == (2, 4, 2, 1)
    assert (two.expanded, two.kept, two.rescued) == (2, 2, 0)
    assert two.entropy == pytest.approx(math.log(2), abs=1e-6)


def test_filler_is_never_rescued() -> None:
    (one,) = spent(level([[-1.0, -INF, -INF]], [[0.0, -INF, -INF]], [[0, 2]]))
    assert one == LevelSpent(2, 1, 1, 0, 0.0)


def test_a_plain_beam_rescues_nothing_and_knows_no_entropy() -> None:
    (one,) = spent(level([[-1.0, -2.0, -INF]], None, [[0, 1, 2]]))
    assert one == LevelSpent(2, 2, 2, 0, None)


@given(st.lists(st.tuples(st.floats(-20, 20, width=32), st.booleans()), min_size=1, max_size=40))
def test_entropy_is_that_of_the_softmax_over_legal_candidates(candidates: list[tuple[float, bool]]) -> None:
    reward = np.array([[value for value, _ in candidates]], np.float32)
    log_prob = np.array([[-1.0 if legal else -INF for _, legal in candidates]], np.float32)
    legal = [value for value, is_legal in candidates if is_legal]
    weights = [math.exp(value - max(legal)) for value in legal]
    p = [weight / sum(weights) for weight in weights]
    expected = -sum(share * math.log(share) for share in p if share > 0)
    assert entropy(reward, log_prob)[0] == pytest.approx(expected, abs=1e-4)
