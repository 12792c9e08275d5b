"""Admission: bounded places, given back whatever happens, and a refusal that says when to come back."""

import pytest

from service.api.admission import Admission
from service.errors import OverloadedError


@pytest.fixture
def told() -> list[str]:
    return []


def test_places_are_bounded_and_given_back(told: list[str]) -> None:
    admission = Admission(2, told.append, jitter=lambda: 0.99)
    with admission.slot(), admission.slot():
        with pytest.raises(OverloadedError) as caught, admission.slot():
            pass
        assert (caught.value.retry_after_s, admission.active, told) == (3, 2, ["concurrency"])
    with pytest.raises(RuntimeError), admission.slot():
        raise RuntimeError
    assert admission.active == 0


@pytest.mark.parametrize(("drained_in", "jitter", "wait"), [(0.01, 0.0, 1), (0.01, 0.99, 3), (7.2, 0.4, 9)])
def test_a_queue_that_is_too_long_says_when_it_will_be_drained(
    told: list[str], drained_in: float, jitter: float, wait: int
) -> None:
    admission = Admission(2, told.append, jitter=lambda: jitter)
    with pytest.raises(OverloadedError) as caught, admission.slot(lambda: drained_in):
        pass
    assert (caught.value.retry_after_s, admission.active, told) == (wait, 0, ["queue"])


def test_a_full_house_does_not_look_at_the_queue(told: list[str]) -> None:
    admission = Admission(1, told.append, jitter=lambda: 0.0)
    with admission.slot(), pytest.raises(OverloadedError), admission.slot(lambda: 1 / 0):
        pass
    assert told == ["concurrency"]
