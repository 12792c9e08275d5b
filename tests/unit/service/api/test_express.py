"""A refusal at sight is the one that reading the request would have led to; what is unusual is read."""

import asyncio
from io import StringIO

import pytest
from fake_service import made_runtime
from full_house import SERVER, Full
from hypothesis import given, settings
from hypothesis import strategies as st

from service.api.express import KNOWN, NOTHING, Express, kind
from service.api.refusals import LOGGED, Refusals
from service.api.wire import Wire
from service.app import create_app

HEADS = st.lists(
    st.sampled_from(
        [
            b"Host: here",
            b"Host:here",
            b"Content-Type: application/json",
            b"Authorization: Bearer one two",
            b"X-Request-ID: mine",
            b"X-Request-ID: not mine",
            b"Connection: close",
            b"Connection: keep-alive",
            b"Expect: 100-continue",
            b"Transfer-Encoding: chunked",
            b"Content-Length: 3",
            b"Content-Length: -1",
            b"Content-Length: 3, 3",
            b"Content-Length : 3",
            b" folded",
            b"Empty:",
            b"Tab:\tvalue",
            b"Bad\x00name: x",
            b"Bad-Value: \x01",
            b"Bare: a\rb",
            b"H\xc3\xa9: x",
        ]
    ),
    max_size=4,
)
LINES = st.sampled_from(
    [b"POST /recommend HTTP/1.1"] * 4
    + [b"POST /recommend/batch HTTP/1.1", b"POST /recommend?a=b HTTP/1.1", b"GET /recommend HTTP/1.1"]
    + [b"POST /recommend HTTP/1.0", b"POST  /recommend HTTP/1.1", b"POST /feedback HTTP/1.1", b"nothing"]
)
LENGTHS = st.sampled_from([b"", *[b"Content-Length: %d" % n for n in (0, 2, 3, 5)], b"content-length: 02"])


@pytest.fixture(scope="module")
def both() -> tuple[Full, Full]:
    return Full(), Full(at_sight=False)


def post(*fields: bytes, body: bytes = b"{}", line: bytes = b"POST /recommend HTTP/1.1") -> bytes:
    return b"\r\n".join((line, *fields)) + b"\r\n\r\n" + body


PLAIN = post(b"Host: here", b"Content-Length: 2")


@settings(max_examples=300, deadline=None)
@given(
    line=LINES,
    fields=HEADS,
    length=LENGTHS,
    body=st.sampled_from([b"", b"{}", b"[1]", b"{}" + PLAIN]),
    cut=st.integers(1, 60) | st.none(),
)
def test_it_is_what_reading_leads_to(
    both: tuple[Full, Full], line: bytes, fields: list[bytes], length: bytes, body: bytes, cut: int | None
) -> None:
    data = post(*fields, *([length] if length else []), body=body, line=line)
    pieces = (PLAIN, data, PLAIN) if cut is None else (data[:cut], data[cut:], PLAIN)
    quick, slow = both
    assert quick.told(*pieces) == slow.told(*pieces)


def test_a_flood_is_booked_and_read_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    full = Full()
    monkeypatch.setattr(Wire, "on_headers_complete", lambda _: pytest.fail("it was read"))
    answer, closed = full.told(*[PLAIN] * 7)
    assert answer.count(b"HTTP/1.1 503 ") == 7
    assert not closed
    assert full.house.refusals.untold == {503: 7}
    value = full.runtime.metrics.registry.get_sample_value
    assert value("promise_requests_total", {"bucket": "default", "status": "503"}) == 7
    assert value("promise_shed_total", {"reason": "concurrency"}) == 7


def test_the_first_of_a_second_have_their_line() -> None:
    full = Full()
    full.house.tick()
    full.told(*[PLAIN] * (LOGGED + 3))
    assert full.house.refusals.untold == {503: 3}


def test_a_place_is_free_again() -> None:
    full = Full()
    full.admission.active = 0
    with asyncio.Runner() as runner:
        assert full.house.at_sight(PLAIN, SERVER, runner.get_loop()) is None


def test_an_answer_has_the_headers_of_its_second() -> None:
    runtime = made_runtime(log=StringIO())
    state = create_app(runtime).state.promise
    refusals = Refusals(state)
    refusals._lines = 0
    express = Express(state.admission, refusals)
    texts = [express.refusal(PLAIN, [(b"date", when)]) or b"" for when in (b"now", b"then")]
    assert [b"\r\ndate: now\r\n" in text for text in texts] == [True, False]
    assert b"\r\ndate: then\r\n" in texts[1]


def test_heads_that_never_come_back_are_forgotten() -> None:
    runtime = made_runtime(log=StringIO())
    state = create_app(runtime).state.promise
    refusals = Refusals(state)
    refusals._lines = 0
    express = Express(state.admission, refusals)
    for number in range(KNOWN + 10):
        assert express.refusal(post(b"Content-Length: 2", b"N: %d" % number), SERVER)
    assert len(express._known) <= KNOWN


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (post(b"Content-Length: 12", b"Host: h", body=b""), (12, "/recommend")),
        (post(b"content-length:0", line=b"POST /recommend/batch HTTP/1.1", body=b""), (0, "/recommend/batch")),
        (post(b"Host: h", body=b""), NOTHING),
        (post(b"Content-Length: 1", b"Content-Length: 1", body=b""), NOTHING),
        (post(b"Content-Length: 1", b"X-Request-Id: a", body=b""), NOTHING),
    ],
)
def test_kinds_of_heads(head: bytes, expected: tuple[int, str]) -> None:
    assert kind(head) == expected
