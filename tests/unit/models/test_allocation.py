"""Ways to spend: by hand on a few users, and as properties of thresholds and oracles against every alternative."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models import allocation
from models.allocation import NOBODY
from models.metrics import F32, F64

QUALITY = np.array([[0.0, 0.5, 0.5], [1.0, 1.0, 1.0], [0.0, 0.0, 1.0], [0.6, 0.0, 0.0]])
COST = np.array([1.0, 2.0, 4.0])
QUALITIES = arrays(np.float64, (7, 3), elements=st.integers(0, 4).map(lambda x: x / 4))


def test_fixed_and_individual_tiers_by_hand() -> None:
    everybody = allocation.fixed("k20", QUALITY, COST, 1)
    assert (everybody.quality, everybody.cost) == (0.375, 2.0)
    assert everybody.shares.tolist() == [0, 1, 0]
    own = allocation.spend("auto", QUALITY, COST, np.array([1, 0, 2, 0]))
    assert own.per_user.tolist() == [0.5, 1.0, 1.0, 0.6]
    assert own.cost == pytest.approx((2 + 1 + 4 + 1) / 4)
    assert own.shares.tolist() == [0.5, 0.25, 0.25]


def test_random_with_the_same_mix_is_the_mean_over_all_draws() -> None:
    shares = np.array([0.5, 0.25, 0.25])
    lot = allocation.at_random(QUALITY, COST, shares)
    assert lot.per_user.tolist() == [0.25, 1.0, 0.25, 0.3]
    draws = np.random.default_rng(0).choice(3, (4000, 4), p=shares)
    drawn = np.mean([allocation.spend("", QUALITY, COST, steps).quality for steps in draws])
    assert lot.quality == pytest.approx(drawn, abs=0.01)


def test_difficulty_buys_the_first_tier_whose_threshold_holds_it() -> None:
    hard = np.array([0.0, 0.2, 0.21, 0.5, 0.9, np.nan], np.float32)
    assert allocation.by_difficulty(hard, (float(np.float32(0.2)), 0.5)).tolist() == [0, 0, 1, 1, 2, 2]
    assert allocation.by_difficulty(hard, (NOBODY, 1.0)).tolist() == [1, 1, 1, 1, 1, 2]


def test_the_best_lottery_at_a_cost() -> None:
    quality = np.array([[0.0, 0.8, 1.0]])
    half = allocation.mixture("lottery", quality, COST, 3.0)
    assert half.shares.tolist() == [0, 0.5, 0.5]
    assert half.quality == pytest.approx(0.9)
    assert allocation.mixture("lottery", quality, COST, 100.0).shares.tolist() == [0, 0, 1]
    with pytest.raises(ValueError, match="no mixture"):
        allocation.mixture("lottery", quality, COST, 0.5)


def test_an_oracle_without_a_budget_gives_the_cheapest_of_the_best() -> None:
    assert allocation.oracle(QUALITY, COST).tolist() == [1, 0, 2, 0]


@given(QUALITIES, st.floats(1.0, 4.0))
def test_an_oracle_keeps_its_budget_and_no_price_does_better(quality: F64, spent: float) -> None:
    steps = allocation.oracle(quality, COST, spent)
    assert COST[steps].mean() <= spent + 1e-9
    chosen = quality[np.arange(7), steps]
    for other in (0, 1, 2):
        if COST[other] <= COST[steps].mean() + 1e-9:
            assert chosen.mean() >= quality[:, other].mean() - 1e-9


@settings(max_examples=60)
@given(QUALITIES, arrays(np.float32, 7, elements=st.sampled_from([0.125, 0.25, 0.5, 0.75])), st.floats(0, 1))
def test_no_other_thresholds_are_worth_more(quality: F64, hard: F32, price: float) -> None:
    def worth(limits: tuple[float, ...]) -> float:
        steps = allocation.by_difficulty(hard, limits)
        return float((quality - price * COST)[np.arange(7), steps].sum())

    limits = allocation.thresholds(hard, quality, COST, price)
    assert list(limits) == sorted(limits)
    edges = (NOBODY, 0.125, 0.25, 0.5, 0.75)
    best = max(worth((low, high)) for low, high in product(edges, edges) if low <= high)
    assert worth(limits) == pytest.approx(best)


def test_a_paired_difference_is_of_the_first_minus_the_second() -> None:
    dear, cheap = allocation.fixed("dear", QUALITY, COST, 2), allocation.fixed("cheap", QUALITY, COST, 0)
    gap = allocation.difference(dear, cheap)
    assert gap.difference == pytest.approx(0.625 - 0.4)
    assert gap.low < gap.difference < gap.high
