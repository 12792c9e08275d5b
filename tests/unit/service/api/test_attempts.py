"""Whoever guesses the admin token is slowed, and nobody else."""

import pytest

from service.api.attempts import ADDRESSES, BURST, EVERY_S, Attempts
from service.errors import AttemptsError


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def guess(attempts: Attempts, address: str | None, times: int) -> None:
    for _ in range(times):
        attempts.check(address)
        attempts.failed(address)


def test_after_some_wrong_tokens_an_address_waits() -> None:
    clock = Clock()
    attempts = Attempts(clock)
    guess(attempts, "10.0.0.1", BURST)
    with pytest.raises(AttemptsError) as caught:
        attempts.check("10.0.0.1")
    assert caught.value.headers == {"Retry-After": str(int(EVERY_S))}
    attempts.check("10.0.0.2")
    clock.now = EVERY_S
    guess(attempts, "10.0.0.1", 1)
    with pytest.raises(AttemptsError):
        attempts.check("10.0.0.1")


def test_who_has_no_address_is_not_slowed() -> None:
    guess(Attempts(Clock()), None, 10 * BURST)


def test_the_memory_for_addresses_is_bounded() -> None:
    attempts = Attempts(Clock())
    guess(attempts, "first", BURST)
    for number in range(ADDRESSES):
        attempts.failed(f"address {number}")
    assert len(attempts._tried) == ADDRESSES
    attempts.check("first")
