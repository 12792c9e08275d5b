"""What a connection does with a request that it refuses itself, and with one that does not come in one piece."""

import asyncio
from collections.abc import Callable, Iterator

import pytest
from full_house import Full, Still

from service.api.house import SHARE
from service.api.wire import SHORT
from service.errors import TooSlowError


@pytest.fixture
def full() -> Iterator[Full]:
    made = Full()
    yield made
    asyncio.run(made.runtime.close())


def post(body: bytes, *more: bytes, version: bytes = b"1.1") -> tuple[bytes, bytes]:
    """Head and body."""
    lines = (b"POST /recommend/batch HTTP/" + version, b"Host: here", b"Content-Length: %d" % len(body), *more)
    return b"\r\n".join(lines) + b"\r\n\r\n", body


def crowded(full: Full, body: bytes) -> None:
    """Half of the places are taken, an eighth of them by callers with this body."""
    full.admission.active = full.admission.limit // 2
    for _ in range(full.admission.limit // SHARE):
        full.house._same[hash(body)] += 1


def run(story: Callable[[], object]) -> None:
    """Where there is an event loop."""

    async def told() -> None:
        story()

    asyncio.run(told())


@pytest.mark.parametrize(("size", "apart"), [(2, False), (2, True), (SHORT, False), (SHORT, True), (SHORT + 5, False)])
def test_a_crowd_that_asks_the_same_is_seen_however_it_sends(full: Full, size: int, apart: bool) -> None:
    head, body = post(b"[" + b" " * (size - 2) + b"]")
    crowded(full, body)
    pieces = (head, body[:1], body[1:]) if apart else (head + body,)

    def story() -> None:
        wire = full.wire(still := Still())
        for piece in pieces:
            wire.data_received(piece)
        assert b"Too many of the same request" in still.written
        assert still.reading, "the next request of this connection would never be read"
        full.admission.active = full.admission.limit
        wire.data_received(head + body)
        assert still.written.count(b"HTTP/1.1 503 ") == 2
        wire.connection_lost(None)

    run(story)


def test_who_is_refused_and_takes_nothing_is_cut_off(full: Full) -> None:
    def story() -> None:
        wire = full.wire(still := Still(unsent=9))
        wire.data_received(b"".join(post(b"[]", b"Connection: close")))
        assert still.closed
        assert wire in full.house.book.stalled._since
        wire.connection_lost(None)

    run(story)


def test_a_connection_of_http_1_0_is_closed_as_everywhere(full: Full) -> None:
    answer, closed = full.told(b"".join(post(b"[]", b"Connection: keep-alive", version=b"1.0")))
    assert closed
    assert b"connection: close" in answer


def test_a_short_body_that_never_comes_is_told_so(full: Full) -> None:
    full.admission.active = 0

    async def story() -> bytes:
        still = Still()
        wire = full.wire(still)
        wire.data_received(post(b"[]")[0])
        wire.end(TooSlowError("Too slow."))
        for _ in range(200):
            await asyncio.sleep(0)
        wire.connection_lost(None)
        return still.written

    assert b"HTTP/1.1 408 " in asyncio.run(story())


def test_what_strangers_invent_is_not_kept_while_the_loop_drowns(full: Full) -> None:
    full.house.state.pulse._late_s = 9.0
    full.house.state.pulse._light = float("-inf")
    full.house.refusals._lines = 0
    for number in range(50):
        answer, _ = full.told(b"GET /nowhere/%d HTTP/1.1\r\nHost: here\r\n\r\n" % number)
        assert b"/nowhere/%d" % number in answer
    assert full.house.refusals._templates == {}


def test_the_inference_protocol_has_refusals_of_its_own(full: Full) -> None:
    full.house.state.pulse._late_s = 9.0
    full.house.state.pulse._light = float("-inf")
    with asyncio.Runner() as runner:
        refused = [full.house.refusal(path, b"GET", [], runner.get_loop()) for path in (b"/v2", b"/v2/models/a", b"/")]
    assert [error is not None for error in refused] == [False, False, True]
