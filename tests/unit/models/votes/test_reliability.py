"""Calibration errors and AUROC against what they are defined as."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from models.evaluation.voted import doubts, entropy
from models.votes.reliability import Reliability, auroc, auroc_interval

some = st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=40)


@settings(max_examples=60, deadline=None)
@given(some)
def test_auroc_is_that_of_scikit_learn(pairs: list[tuple[int, bool]]) -> None:
    doubt, wrong = np.array([p[0] for p in pairs], float), np.array([p[1] for p in pairs])
    if wrong.all() or not wrong.any():
        assert np.isnan(auroc(doubt, wrong))
    else:
        assert auroc(doubt, wrong) == pytest.approx(roc_auc_score(wrong, doubt))
        assert auroc(-doubt, wrong) == pytest.approx(1 - auroc(doubt, wrong))


def test_an_interval_holds_the_figure_and_narrows_with_users() -> None:
    rng = np.random.default_rng(0)
    widths = []
    for users in (200, 5000):
        wrong = rng.random(users) < 0.5
        doubt = rng.normal(size=users) + wrong
        low, high = auroc_interval(doubt, wrong)
        assert low < auroc(doubt, wrong) < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 2


@pytest.mark.parametrize("sure", [0.0, 0.2])
def test_an_honest_probability_has_no_error_and_one_too_sure_has_as_much(sure: float) -> None:
    rng = np.random.default_rng(0)
    honest = rng.uniform(0.1, 0.7, 60_000)
    right = rng.random(len(honest)) < honest
    found = Reliability.of(honest + sure, right)
    assert found.ece == pytest.approx(sure, abs=0.015)
    noise = float((honest * (1 - honest)).mean())
    assert found.brier == pytest.approx(noise + sure**2, abs=0.01)


def test_votes_that_agree_leave_no_doubt_but_what_their_own_shares_leave() -> None:
    rng = np.random.default_rng(0)
    reward = rng.normal(size=(6, 20)).astype(np.float32)
    legal = rng.random((6, 20)) < 0.9
    agreed = doubts(np.repeat(reward[..., None], 4, 2), legal)
    own = entropy(reward, legal)
    for name, values in agreed.items():
        wanted = own if "entropy" in name else 0.0
        np.testing.assert_allclose(values, wanted, atol=1e-5, err_msg=name)


def test_votes_that_differ_leave_more() -> None:
    rng = np.random.default_rng(1)
    reward = rng.normal(size=(50, 20, 1)).astype(np.float32)
    noise = rng.normal(size=(50, 20, 8)).astype(np.float32)
    legal = np.ones((50, 20), bool)
    little, much = doubts(reward + 0.1 * noise, legal), doubts(reward + noise, legal)
    for name in little:
        if "entropy" not in name:
            assert much[name].mean() > little[name].mean(), name
