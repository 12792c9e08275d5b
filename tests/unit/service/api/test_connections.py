"""The book of connections: who gives way to whom, who is ended, and what all of them may hold."""

from dataclasses import dataclass, field

import pytest

from service.api.connections import IDLE_S, YOUNG_S, Connections
from service.errors import OverloadedError, PromiseError

PATIENCE_S = 10.0


@dataclass(eq=False)
class One:
    told: list[str] = field(default_factory=list)

    def give_up(self) -> None:
        self.told.append("")

    def end(self, error: PromiseError) -> None:
        self.told.append(error.slug)


class Book(Connections):
    """Of three connections and 100 bytes; `now` is its clock."""

    def __init__(self) -> None:
        self.now = 0.0
        super().__init__(3, PATIENCE_S, 100, lambda: OverloadedError("Full.", 1), lambda: self.now)

    def opens(self, count: int = 1) -> list[One]:
        found = [One() for _ in range(count)]
        for one in found:
            self.opened(one)
            self.now += 0.1
        return found

    def reads(self, one: One) -> None:
        self.idle.discard(one)
        self.reading.add(one)


@pytest.fixture
def book() -> Book:
    return Book()


def test_the_longest_idle_one_gives_way(book: Book) -> None:
    first, second, third = book.opens(3)
    book.idle.add(first)  # it has just answered
    book.opens()
    assert (first.told, second.told, third.told, len(book)) == ([], [""], [], 3)


def test_then_the_one_that_is_slow_to_send(book: Book) -> None:
    slow, *others = book.opens(3)
    book.reads(slow)
    for one in others:
        book.idle.discard(one)  # being answered
    early = book.opens()[0]
    assert (slow.told, early.told) == ([], ["overloaded"])
    book.now += YOUNG_S
    late = book.opens()[0]
    assert (slow.told, late.told, len(book)) == (["overloaded"], [], 3)


def test_what_is_gone_makes_room(book: Book) -> None:
    for one in book.opens(3):
        book.gone(one)
    assert len(book) == 0
    assert book.opens()[0].told == []
    book.now += 2 * IDLE_S
    book.sweep()
    assert len(book.idle) == 0


def test_a_sweep_ends_what_takes_for_ever(book: Book) -> None:
    idle, reading, stalled = book.opens(3)
    book.reads(reading)
    book.idle.discard(stalled)
    book.stalled.add(stalled)
    book.now += PATIENCE_S - 1
    book.sweep()
    assert (idle.told, reading.told, stalled.told) == ([], [], [])
    book.now += 2
    book.sweep()
    book.sweep()
    assert (idle.told, reading.told, stalled.told) == ([], ["request-timeout"], [""])
    book.now += IDLE_S
    book.sweep()
    assert idle.told == [""]


def test_the_slowest_request_makes_room_for_bytes(book: Book) -> None:
    first, second, _ = book.opens(3)
    book.reads(first)
    book.reads(second)
    book.hold(100)
    assert first.told == []
    book.hold(1)
    assert (first.told, second.told) == (["overloaded"], [])
    book.hold(-101)
    book.hold(50)
    assert (book.held, second.told) == (50, [])
