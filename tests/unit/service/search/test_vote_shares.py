"""Shares, deviation and agreement of votes over the legal children of a level."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from service.search.votes import agreement, deviation, shares

F32 = NDArray[np.float32]
Bool = NDArray[np.bool_]


@st.composite
def polls(draw: st.DrawFn) -> tuple[F32, Bool]:
    shape = draw(st.tuples(st.integers(1, 3), st.integers(1, 12), st.integers(1, 5)))
    votes = draw(arrays(np.float32, shape, elements=st.floats(-20, 20, width=32)))
    return votes, draw(arrays(np.bool_, shape[:2]))


@given(polls())
def test_the_shares_of_every_vote_sum_to_one_over_the_legal_children(poll: tuple[F32, Bool]) -> None:
    votes, legal = poll
    logs = shares(votes, legal)
    assert np.all(np.isneginf(logs[~legal]))
    total = np.exp(logs).sum(1)
    assert np.allclose(total, np.where(legal.any(1), 1, 0)[:, None], atol=1e-5)
    for row, real in enumerate(legal):
        apart = votes[row, real][:, None] - votes[row, real][None]
        assert np.allclose(logs[row, real][:, None] - logs[row, real][None], apart, atol=1e-4)


@given(polls(), st.floats(-30, 30))
def test_the_free_constant_of_a_vote_and_what_filler_holds_move_nothing(
    poll: tuple[F32, Bool], constant: float
) -> None:
    votes, legal = poll
    moved = votes.copy()
    moved[..., 0] += np.float32(constant)
    moved[~legal] = 1e4
    assert np.allclose(deviation(votes, legal), deviation(moved, legal), atol=1e-3)


@given(polls())
def test_the_deviation_is_that_of_the_log_shares(poll: tuple[F32, Bool]) -> None:
    votes, legal = poll
    found, logs = deviation(votes, legal), shares(votes, legal)
    assert not found[~legal].any()
    for row, place in np.argwhere(legal):
        one = logs[row, place].astype(np.float64)
        assert found[row, place] == pytest.approx(np.sqrt(((one - one.mean()) ** 2).mean()), abs=1e-3)


def test_equal_votes_do_not_deviate_and_agree() -> None:
    votes = np.repeat(np.array([[[1.0], [3.0], [2.0]]], np.float32), 4, axis=2)
    legal = np.ones((1, 3), np.bool_)
    assert np.allclose(deviation(votes, legal), 0, atol=1e-6)
    assert agreement(votes, legal).tolist() == [1]


def test_agreement_counts_the_votes_whose_best_is_the_best_of_their_mean() -> None:
    votes = np.array([[[5, 0, 5, 9], [0, 5, 0, 0], [9, 9, 9, 0]]], np.float32)
    assert agreement(votes, np.array([[True, True, False]])).tolist() == [0.75]
    assert agreement(votes, np.array([[True, True, True]])).tolist() == [0.75]
    assert agreement(votes, np.array([[False, True, False]])).tolist() == [1]
    assert agreement(votes, np.zeros((1, 3), np.bool_)).tolist() == [1]


@given(polls())
def test_agreement_is_a_share_of_the_votes(poll: tuple[F32, Bool]) -> None:
    votes, legal = poll
    agreed = agreement(votes, legal) * votes.shape[2]
    assert np.allclose(agreed, np.round(agreed), atol=1e-5)
    for row, real in enumerate(legal):
        if real.any() and votes.shape[2] == 1:
            assert agreed[row] == 1
