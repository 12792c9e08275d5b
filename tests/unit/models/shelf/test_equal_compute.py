"""The control at equal compute: exact at what was measured, linear between, never beyond."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_shelf import hits, made_measured

from models.metrics import F64
from models.results import ResultsError
from models.shelf import control
from models.shelf.control import COSTS
from models.shelf.kept import Measured

FLOP = COSTS["FLOP"]
NARROW, WIDE = made_measured("guided 10/40", hits(100), 100, 5.0), made_measured("guided 50/200", hits(200), 300, 4.0)


def at(spent: float) -> F64:
    return control.at([WIDE, NARROW], spent, FLOP)


def test_what_was_measured_is_what_it_was() -> None:
    assert np.array_equal(at(100), control.quality(NARROW))
    assert np.array_equal(at(300), control.quality(WIDE))


@given(st.floats(0, 1))
def test_between_two_widths_every_user_gets_their_mixture(share: float) -> None:
    mixed = (1 - share) * control.quality(NARROW) + share * control.quality(WIDE)
    assert np.allclose(at(100 + 200 * share), mixed)


@given(st.floats(0, 1e12))
def test_nothing_lies_beyond_the_cheapest_and_the_dearest(spent: float) -> None:
    assert control.quality(NARROW).mean() <= at(spent).mean() <= control.quality(WIDE).mean()


def test_a_width_that_a_cheaper_one_equals_is_no_control() -> None:
    worse = made_measured("guided 100/400", hits(150), 400)
    same = made_measured("guided 20/80", hits(100), 120)
    found = [worse, WIDE, same, NARROW]
    assert control.frontier(found, FLOP) == [NARROW, WIDE]
    assert np.array_equal(control.at(found, 350, FLOP), control.quality(WIDE))
    assert np.array_equal(control.at(found, 200, FLOP), at(200))


def test_costs_order_the_widths_each_its_own_way() -> None:
    assert control.frontier([NARROW, WIDE], COSTS["ms"]) == [WIDE]


@given(st.integers(0, 400), st.integers(50, 500))
def test_a_gain_is_the_mean_difference_of_the_same_users(found: int, spent: int) -> None:
    one = made_measured("relaxed 20/80", hits(found), spent)
    gain = control.gain(one, [NARROW, WIDE], FLOP)
    assert gain.difference == pytest.approx(control.quality(one).mean() - at(spent).mean())
    assert gain.low <= gain.difference + 1e-12
    assert gain.difference <= gain.high + 1e-12


def test_guided_search_gains_nothing_over_itself() -> None:
    gain = control.gain(WIDE, [NARROW, WIDE], FLOP)
    assert (gain.difference, gain.low, gain.high) == (0, 0, 0)


def test_one_width_alone_is_the_control_everywhere() -> None:
    for spent in (1, 100, 1000):
        assert np.array_equal(control.at([NARROW], spent, FLOP), control.quality(NARROW))


def test_other_users_and_no_control_are_refused() -> None:
    fewer: Measured = made_measured("relaxed 20/80", hits(10, users=20), 200)
    with pytest.raises(ResultsError, match="same users"):
        control.gain(fewer, [NARROW], FLOP)
    with pytest.raises(ResultsError, match="no guided search"):
        control.at([], 1, FLOP)
