"""A token bucket and a day's count, on clocks made for them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.quota import DAY_S, DayCount, TokenBucket


def test_a_burst_then_the_rate() -> None:
    bucket = TokenBucket(2, 3, 100.0)
    for _ in range(3):
        assert bucket.wait_s(100.0) == 0
        bucket.take(100.0)
    assert bucket.wait_s(100.0) == 0.5
    assert bucket.wait_s(100.4) == pytest.approx(0.1)
    assert bucket.wait_s(100.5) == 0


def test_a_bucket_says_what_is_left_of_it() -> None:
    bucket = TokenBucket(2, 3, 0.0)
    bucket.take(0.0)
    assert bucket.shown(0.0) == ('"second";q=3;w=2', '"second";r=2;t=1')
    assert bucket.shown(9.0) == ('"second";q=3;w=2', '"second";r=3;t=0')


@given(
    st.floats(0.01, 1000),
    st.integers(1, 100),
    st.lists(st.tuples(st.floats(-5, 5), st.booleans()), max_size=60),
)
def test_nobody_gets_more_than_burst_and_rate(rate: float, burst: int, steps: list[tuple[float, bool]]) -> None:
    """Also when the clock jumps back: what went by once is not given twice."""
    bucket, now, latest, taken = TokenBucket(rate, burst, 0.0), 0.0, 0.0, 0
    for step, wants in steps:
        now += step
        latest = max(latest, now)
        if wants and bucket.wait_s(now) == 0:
            bucket.take(now)
            taken += 1
        assert taken <= burst + rate * latest + 1e-6


def test_a_day_ends_at_midnight() -> None:
    count, noon = DayCount(2), 3.5 * DAY_S
    for _ in range(2):
        assert count.wait_s(noon) == 0
        count.take(noon)
    assert count.wait_s(noon) == DAY_S / 2
    assert count.shown(noon) == (f'"day";q=2;w={DAY_S}', f'"day";r=0;t={DAY_S // 2}')
    assert count.wait_s(4 * DAY_S) == 0
    assert count.wait_s(noon) == 0, "a clock set back goes on with the later day"
