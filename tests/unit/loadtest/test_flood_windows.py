"""What honest callers got, second by second: goodput, refusals, the way back, and whether the driver was the limit."""

import numpy as np
import pytest

from loadtest.bench.flood.lean import Fired
from loadtest.bench.flood.windows import limited, recovery_s, window

DEADLINE_S = 0.25


def fired(seconds: int, rate: int = 10) -> Fired:
    """`rate` a second, all answered after 100 ms."""
    count = seconds * rate
    intended = np.arange(count) / rate
    return Fired(
        intended=intended,
        sent=intended.copy(),
        ended=intended + 0.1,
        status=np.full(count, 200, np.int16),
        lowered=np.zeros(count, np.bool_),
        unclear=0,
        busy=0.1,
    )


def test_a_window_tells_answers_refusals_and_failures_apart() -> None:
    made = fired(4)
    made.status[10:13] = 503
    made.status[13] = 0
    made.ended[13] = np.nan
    made.ended[14] += 0.2  # late
    made.lowered[15:17] = True
    found = window(made, 1.0, 2.0, DEADLINE_S)
    assert (found.offered, found.goodput, found.refused, found.late, found.failed) == (10, 5, 3, 1, 1)
    assert found.lowered == pytest.approx(1 / 3)
    assert found.p50_ms == pytest.approx(100)
    assert found.p99_ms is not None
    assert 250 < found.p99_ms < 300


def test_a_window_without_answers_has_no_percentiles() -> None:
    made = fired(1)
    made.status[:] = 503
    found = window(made, 0.0, 1.0, DEADLINE_S)
    assert (found.p50_ms, found.p99_ms, found.goodput, found.lowered) == (None, None, 0, 0)


@pytest.mark.parametrize(("bad", "wanted"), [((), 0), ((52,), 1), ((52, 67), 2), ((52, 95), None)])
def test_recovery_is_when_all_later_seconds_are_calm(bad: tuple[int, ...], wanted: int | None) -> None:
    made = fired(10)
    for number in bad:
        made.status[number] = 503
    assert recovery_s(made, 2.0, 5.0, 10.0, DEADLINE_S) == wanted


def test_recovery_waits_for_the_tiers() -> None:
    made = fired(10)
    made.lowered[:2] = True  # a tenth of the answers before the flood
    made.lowered[50:75] = True
    assert recovery_s(made, 2.0, 5.0, 10.0, DEADLINE_S) == 3


def test_a_driver_that_is_the_limit_says_so() -> None:
    made = fired(10)
    assert limited(made) == ""
    made.sent[:] += 0.03
    assert "30 ms late" in limited(made)
    made.sent[:50] = np.nan
    assert "50 arrivals" in limited(made)
