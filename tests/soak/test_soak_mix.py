"""What is asked in a soak: every kind comes in its share, and what must not be shown is told apart."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from loadtest.bench.soak.calls import ANSWERED, FAILED, Call, Tally
from loadtest.bench.soak.load import arrivals
from loadtest.bench.soak.mix import SHARES, Mix
from loadtest.bench.soak.texts import BROKEN, CYCLE, experiments
from loadtest.bench.soak.wrong import MISTAKES, mistaken, told
from loadtest.client import Reply
from loadtest.crowd import Crowd
from service.errors import ExperimentsError
from service.experiments.config import Experiments
from service.settings import SHIPPED_BUNDLE

OFFERED = {"strategies": ["guided", "beam"], "tiers": [{"name": f"k{wide}", "k_keep": wide} for wide in (10, 50, 1000)]}


@pytest.fixture(scope="module")
def crowd() -> Crowd:
    return Crowd(SHIPPED_BUNDLE, users=50)


@pytest.fixture
def mix(crowd: Crowd) -> Mix:
    return Mix(crowd, OFFERED)


def family(call: Call) -> str:
    first = call.kind.split(" ")[0].rstrip(":")
    return {"GET": "read"}.get(first, first)


def judged(call: Call, *items: str) -> str:
    answer = {"items": [{"item_id": item} for item in items], "budget": {}, "feedback_token": "a token"}
    return Tally().book(call, Reply(200, {}, json.dumps(answer).encode()), 0.0)


def test_every_kind_comes_in_its_share(mix: Mix) -> None:
    kinds = Counter(family(mix.draw()) for _ in range(5000))
    assert set(kinds) <= set(SHARES)
    assert kinds["returning"] / 5000 == pytest.approx(SHARES["returning"] / 100, abs=0.03)
    assert kinds["batch"] > 0 < kinds["wrong"]


def test_what_is_off_sale_must_not_be_shown_from_then_on(mix: Mix) -> None:
    before = mix.cold()
    mix.away = frozenset({"A"})
    after = mix.cold()
    assert judged(before, "A", "B") == ANSWERED
    assert judged(after, "A", "B") == FAILED
    assert judged(after, "B") == ANSWERED
    assert mix.feedback().kind == "feedback"  # on what was answered


def test_a_filter_must_hold(mix: Mix) -> None:
    call = mix.filtered()
    allowed = json.loads(call.payload.partition(b"\r\n\r\n")[2])["filter"]["allow"]
    history = set(json.loads(call.payload.partition(b"\r\n\r\n")[2])["history"])
    inside = next(item for item in allowed if item not in history)
    assert judged(call, inside) == ANSWERED
    assert judged(call, "elsewhere") == FAILED


def test_a_batch_stands_entry_by_entry(mix: Mix) -> None:
    good = {"problem": None, "response": {"items": [{"item_id": "A"}]}}
    bodies: dict[str, list[dict[str, Any]]] = {
        ANSWERED: [good, {"problem": {"status": 503, "title": "busy"}}],
        FAILED: [good, {"problem": {"status": 500, "title": "broken"}}],
    }
    for outcome, body in bodies.items():
        assert Tally().book(mix.batch(), Reply(200, {}, json.dumps(body).encode()), 0.0) == outcome


def test_mistakes_are_told_without_the_inside() -> None:
    header = {"content-type": "application/problem+json"}
    body: Callable[[str], bytes] = lambda detail: json.dumps(  # noqa: E731 - its type stands beside it
        {"type": "/problems/x", "status": 400, "detail": detail}
    ).encode()
    assert told(Reply(400, header, body("no such tier"))) is None
    assert told(Reply(400, header, body("Traceback (most recent call last)")))
    assert told(Reply(400, {}, b"Bad Request"))
    names = {mistaken(np.random.default_rng(seed)).kind for seed in range(300)}
    assert len(names) == len(MISTAKES)


def test_only_every_fourth_experiments_file_is_broken() -> None:
    for edit in range(3 * CYCLE):
        if edit % CYCLE == BROKEN:
            with pytest.raises(ExperimentsError, match="sum"):
                Experiments.parse(experiments(edit))
        else:
            names = [one.name for one in Experiments.parse(experiments(edit)).experiments]
            assert names[0] == "width"
    digests = {Experiments.parse(experiments(edit)).digest for edit in (0, 1, 8)}
    assert len(digests) == 3


def test_arrivals_come_at_their_rate_until_it_is_over() -> None:
    left = iter(range(20_001))
    times = list(arrivals(50.0, 7.0, lambda: next(left) == 20_000, np.random.default_rng(0)))
    assert len(times) == 20_000
    assert min(times) > 7.0
    assert (times[-1] - 7.0) / 20_000 == pytest.approx(1 / 50, rel=0.03)
