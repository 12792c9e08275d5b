"""Difficulty: sure requests are easy, torn ones hard, and filler, shifts and single candidates change nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from service.budget.difficulty import F32, SIGNALS, difficulty

LOGITS = arrays(np.float32, (3, 12), elements=st.floats(-30, 30, width=32))
EACH = pytest.mark.parametrize("signal", SIGNALS)


def log_softmax(logits: F32) -> F32:
    shifted = logits.astype(np.float64) - logits.max(1, keepdims=True)
    logs: F32 = (shifted - np.log(np.exp(shifted).sum(1, keepdims=True))).astype(np.float32)
    return logs


@EACH
@given(LOGITS, LOGITS)
def test_it_lies_between_0_and_1_whatever_the_order_filler_and_shift(signal: str, logits: F32, reward: F32) -> None:
    log_prob = log_softmax(logits)
    hard = difficulty(signal, log_prob, reward)
    assert hard.dtype == np.float32
    assert ((hard >= 0) & (hard <= 1)).all()
    order = np.random.default_rng(0).permutation(12)
    np.testing.assert_allclose(difficulty(signal, log_prob[:, order], reward[:, order]), hard, atol=1e-5)
    np.testing.assert_allclose(difficulty(signal, log_prob, reward + 3), hard, atol=1e-4)
    filled = np.full((3, 2), -np.inf, np.float32)
    both = np.concatenate([log_prob, filled], 1), np.concatenate([reward, np.full((3, 2), 99, np.float32)], 1)
    np.testing.assert_allclose(difficulty(signal, *both), hard, atol=1e-5)


@pytest.mark.parametrize("signal", ["entropy", "margin", "coverage"])
def test_a_sure_prm_makes_an_easy_request_and_a_torn_one_a_hard_one(signal: str) -> None:
    flat, sharp = np.zeros((1, 40), np.float32), np.zeros((1, 40), np.float32)
    sharp[0, 3] = 20
    log_prob = log_softmax(flat)
    assert difficulty(signal, log_prob, sharp) < 0.01
    assert difficulty(signal, log_prob, flat) > 0.7
    assert difficulty("generator_entropy", log_prob, sharp) == pytest.approx(1)


def test_generator_and_prm_disagree_or_do_not() -> None:
    left, right = np.zeros((1, 9), np.float32), np.zeros((1, 9), np.float32)
    left[0, 0], right[0, 5] = 30, 30
    assert difficulty("disagreement", log_softmax(left), left) == pytest.approx(0, abs=1e-6)
    assert difficulty("disagreement", log_softmax(left), right) == pytest.approx(1, abs=1e-6)


@EACH
def test_one_candidate_or_none_is_easy_and_no_reward_means_the_generator_speaks(signal: str) -> None:
    one = np.array([[0.0], [-np.inf]], np.float32)
    assert (difficulty(signal, one, one) <= 1).all()
    logits = log_softmax(np.arange(8, dtype=np.float32)[None])
    assert difficulty(signal, logits, None) == difficulty(signal, logits, logits)


def test_a_reward_that_is_no_number_is_hard() -> None:
    broken = np.full((1, 4), np.nan, np.float32)
    assert difficulty("entropy", np.zeros((1, 4), np.float32), broken) == 1


def test_an_unknown_signal_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        difficulty("mood", np.zeros((1, 4), np.float32), None)
