"""No wait when idle, patience under load, batches that shrink when they take too long."""

from hypothesis import given
from hypothesis import strategies as st

from service.engine.pace import FORGET_S, Pace

BATCHES = st.lists(st.tuples(st.integers(1, 64), st.floats(0, 1)), max_size=40)


def after(batches: list[tuple[int, float]], pace: Pace) -> float:
    """Run these batches back to back; the time at the end."""
    now = 0.0
    for size, seconds in batches:
        now += seconds
        pace.ran(min(size, pace.size), seconds, now)
    return now


@given(BATCHES, st.integers(1, 64))
def test_an_idle_device_keeps_nobody_waiting(batches: list[tuple[int, float]], queued: int) -> None:
    pace = Pace(32, 0.002, 0.03)
    now = after(batches, pace) + 1.001 * FORGET_S
    assert pace.patience(queued, now, now) == 0.0


def test_the_first_job_ever_is_not_kept_waiting() -> None:
    assert Pace(32, 0.002, 0.03).patience(1, 0.0, 0.0) == 0.0


def test_under_load_a_batch_waits_for_the_size_before_it_but_not_longer_than_told() -> None:
    pace = Pace(32, 0.002, 0.03)
    pace.ran(16, 0.01, 1.0)
    assert 0 < pace.patience(3, 1.0, 1.0) <= 0.00201
    assert pace.patience(16, 1.0, 1.0) == 0.0
    assert pace.patience(3, 1.0, 1.0021) == 0.0


def test_the_wait_is_a_small_part_of_a_batch() -> None:
    pace = Pace(32, 1.0, 0.03)
    pace.ran(16, 0.01, 1.0)
    assert pace.patience(1, 1.0, 1.0) <= 0.5 * 0.01


@given(BATCHES)
def test_sizes_stay_between_one_and_the_limit(batches: list[tuple[int, float]]) -> None:
    pace = Pace(32, 0.002, 0.03)
    after(batches, pace)
    assert 1 <= pace.size <= 32


def test_a_batch_that_takes_too_long_shrinks_the_next_and_quick_full_ones_grow_it_back() -> None:
    pace = Pace(32, 0.002, 0.03)
    pace.ran(32, 0.06, 0.0)
    assert pace.size == 16
    for turn in range(16):
        pace.ran(pace.size, 0.01, float(turn))
    assert pace.size == 32


def test_quick_batches_that_were_not_full_prove_nothing() -> None:
    pace = Pace(32, 0.002, 0.03)
    pace.ran(32, 0.06, 0.0)
    pace.ran(3, 0.001, 1.0)
    assert pace.size == 16


def test_one_slow_job_alone_says_nothing_about_company() -> None:
    pace = Pace(32, 0.002, 0.03)
    pace.ran(1, 5.0, 0.0)
    assert pace.size == 32


def test_one_slow_batch_costs_half_of_the_size_at_most() -> None:
    pace = Pace(32, 0.002, 0.03)
    pace.ran(32, 60.0, 0.0)
    assert pace.size == 16
