"""Difficulty: sure requests are easy, torn ones hard; filler, shifts and order change nothing; a mix is its formula."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from service.budget.difficulty import F32, HEAD, I32, LEARNED, SIGNALS, Gauge, difficulty
from service.errors import StartError

WIDTH = 30
LOGITS = arrays(np.float32, (3, WIDTH), elements=st.floats(-30, 30, width=32))
CODE: I32 = np.tile(np.arange(WIDTH, dtype=np.int32), (3, 1))
MIX = Gauge(LEARNED, -0.3, {"entropy": 0.7, "divergence": -0.4, "coverage": 1.1}, tuple(np.linspace(-1, 1, WIDTH)))
GAUGES = [*(Gauge(name) for name in SIGNALS), MIX]
EACH = pytest.mark.parametrize("gauge", GAUGES, ids=lambda gauge: gauge.signal)


def log_softmax(logits: F32) -> F32:
    shifted = logits.astype(np.float64) - logits.max(1, keepdims=True)
    logs: F32 = (shifted - np.log(np.exp(shifted).sum(1, keepdims=True))).astype(np.float32)
    return logs


@EACH
@given(logits=LOGITS, reward=LOGITS)
def test_it_lies_between_0_and_1_whatever_the_order_filler_and_shift(gauge: Gauge, logits: F32, reward: F32) -> None:
    log_prob = log_softmax(logits)
    hard = gauge(log_prob, reward, CODE)
    assert hard.dtype == np.float32
    assert ((hard >= 0) & (hard <= 1)).all()
    order = np.random.default_rng(0).permutation(WIDTH)
    np.testing.assert_allclose(gauge(log_prob[:, order], reward[:, order], CODE[:, order]), hard, atol=1e-5)
    np.testing.assert_allclose(gauge(log_prob, reward + 3, CODE), hard, atol=1e-4)
    filler = [np.full((3, 2), value) for value in (-np.inf, 99.0, -1)]
    parts = zip((log_prob, reward, CODE), filler, strict=True)
    wider = [np.concatenate([real, more.astype(real.dtype)], 1) for real, more in parts]
    np.testing.assert_allclose(gauge(*wider), hard, atol=1e-5)


@pytest.mark.parametrize("signal", ["entropy", "joint_entropy", "margin", "coverage"])
def test_a_sure_prm_makes_an_easy_request_and_a_torn_one_a_hard_one(signal: str) -> None:
    flat, sharp = np.zeros((1, 200), np.float32), np.zeros((1, 200), np.float32)
    sharp[0, 3] = 20
    log_prob = log_softmax(flat)
    assert difficulty(signal, log_prob, sharp) < 0.01
    assert difficulty(signal, log_prob, flat) > 0.7
    assert difficulty("generator_entropy", log_prob, sharp) == pytest.approx(1)


def test_coverage_is_what_lies_beyond_the_head() -> None:
    flat = np.zeros((1, 4 * HEAD), np.float32)
    assert difficulty("coverage", log_softmax(flat), flat) == pytest.approx(0.75)


@pytest.mark.parametrize("signal", ["divergence", "disagreement"])
def test_generator_and_prm_disagree_or_do_not(signal: str) -> None:
    left, right = np.zeros((1, 9), np.float32), np.zeros((1, 9), np.float32)
    left[0, 0], right[0, 5] = 25, 25
    assert difficulty(signal, log_softmax(left), left) == pytest.approx(0, abs=1e-6)
    assert difficulty(signal, log_softmax(left), right) == pytest.approx(1, abs=1e-6)


def test_a_learned_mix_is_the_logistic_of_its_terms() -> None:
    rng = np.random.default_rng(1)
    log_prob, reward = log_softmax(rng.normal(size=(3, WIDTH)).astype(np.float32)), rng.normal(size=(3, WIDTH))
    share = np.exp(reward) / np.exp(reward).sum(1, keepdims=True)
    terms = MIX.bias + share @ np.linspace(-1, 1, WIDTH)
    for name, weight in MIX.weights.items():
        terms += weight * difficulty(name, log_prob, reward.astype(np.float32))
    np.testing.assert_allclose(MIX(log_prob, reward.astype(np.float32), CODE), 1 / (1 + np.exp(-terms)), rtol=1e-5)


def test_a_code_that_was_never_seen_weighs_nothing() -> None:
    reward = np.zeros((1, 2), np.float32)
    gauge = Gauge(LEARNED, 0.0, {}, (5.0,))
    assert gauge(log_softmax(reward), reward, np.array([[7, 900]], np.int32)) == pytest.approx(0.5)


@EACH
def test_one_candidate_or_none_is_no_error_and_no_reward_means_the_generator_speaks(gauge: Gauge) -> None:
    one = np.array([[0.0], [-np.inf]], np.float32)
    assert (gauge(one, one, np.zeros((2, 1), np.int32)) <= 1).all()
    assert gauge(one[:, :0], one[:, :0], np.zeros((2, 0), np.int32)).shape == (2,)
    logits, code = log_softmax(np.arange(8, dtype=np.float32)[None]), np.arange(8, dtype=np.int32)[None]
    assert gauge(logits, None, code) == gauge(logits, logits, code)


def test_a_reward_that_is_no_number_is_hard() -> None:
    broken = np.full((1, 4), np.nan, np.float32)
    assert difficulty("entropy", np.zeros((1, 4), np.float32), broken) == 1


@pytest.mark.parametrize("gauge", [("mood", {}), (LEARNED, {"mood": 1.0})])
def test_an_unknown_measure_stops_the_start(gauge: tuple[str, dict[str, float]]) -> None:
    with pytest.raises(StartError, match="mood"):
        Gauge(gauge[0], 0.0, gauge[1])
