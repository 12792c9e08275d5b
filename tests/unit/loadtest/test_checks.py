"""What is wrong with an answer is found and named; what became of a request is told apart."""

from typing import Any

import pytest

from loadtest.checks import Wanted, fault, outcome

WANTED = Wanted(history=("a", "b"), k=3, tier="k20", bucket="deep")


def answer(*items: str, tier: str = "k20", bucket: str = "deep", source: str = "search") -> dict[str, Any]:
    found = [{"item_id": item} for item in items]
    return {"items": found, "budget": {"tier": tier}, "experiment": {"bucket": bucket}, "source": source}


def test_a_good_answer_has_no_fault() -> None:
    assert fault(answer("x", "y", "z"), WANTED) is None
    assert fault(answer("x", tier="none", source="popularity"), WANTED) is None, "popular items have no tier"
    assert fault(answer("x", tier="k50", bucket="other"), Wanted(k=1)) is None, "nothing was asked for"


def test_a_stored_history_that_was_not_read_cannot_be_left_out() -> None:
    unread = answer("a") | {"degraded": True, "history": {"stored": False}}
    stored = Wanted(history=("a", "b"), k=3, stored=True)
    assert fault(unread, stored) is None
    assert fault(unread, Wanted(history=("a", "b"), k=3)) == "an item of the history came back"
    assert fault(unread | {"degraded": False}, stored) == "an item of the history came back"
    assert fault(unread | {"history": {"stored": True}}, stored) == "an item of the history came back"


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (None, "no list of items"),
        ({"items": "x"}, "no list of items"),
        ({"items": [{"id": "x"}]}, "no id"),
        (answer(), "0 items for k = 3"),
        (answer("w", "x", "y", "z"), "4 items for k = 3"),
        (answer("x", "x"), "an item is repeated"),
        (answer("x", "b"), "an item of the history came back"),
        (answer("x", tier="floor"), "tier floor where k20 was asked for"),
        (answer("x", bucket="control"), "bucket control where the header said deep"),
    ],
)
def test_a_fault_is_named(found: object, said: str) -> None:
    assert said in (fault(found, WANTED) or "")


@pytest.mark.parametrize(
    ("status", "headers", "body", "late", "became"),
    [
        (200, {}, {}, False, "answered"),
        (200, {}, {}, True, "late"),
        (200, {}, {"degraded": True}, True, "degraded"),
        (503, {"Retry-After": "1"}, None, False, "shed"),
        (503, {"retry-after": "1"}, None, False, "shed"),
        (503, {}, None, False, "failed"),
        (500, {"retry-after": "1"}, None, False, "failed"),
        (0, {}, None, False, "failed"),
    ],
)
def test_what_became_of_a_request(status: int, headers: dict[str, str], body: object, late: bool, became: str) -> None:
    assert outcome(status, headers, body, late) == became
