"""What a caller reads of an explanation, over HTTP."""

from collections.abc import Iterator
from typing import Any

import pytest
from fake_service import Client, made_model, made_runtime
from made import made_catalogue

from service.engine.fake import FakeEngine
from service.search.strategies.shelf import STRATEGIES
from service.search.trie import build
from service.search.verification import RULES

CATALOGUE = made_catalogue()
IDS = list(CATALOGUE.ids)
HISTORY = [*IDS[2:9], IDS[3]]
LEVEL = {
    "level",
    "expanded",
    "kept",
    "rescued",
    "entropy",
    "candidates",
    "rejected",
    "agreement",
    "deviation",
    "because",
}


@pytest.fixture(scope="module", params=[0, 20])
def client(request: pytest.FixtureRequest) -> Iterator[Client]:
    """Without and with a correction."""
    engine = FakeEngine(build(CATALOGUE.sids), pool=request.param)
    with Client(made_runtime(made_model(CATALOGUE, engine))) as opened:
        yield opened


def explained(client: Client, **body: Any) -> dict[str, Any]:
    response = client.recommend(**{"history": HISTORY, "k": 5, "budget": "k10", "explain": True, **body})
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def test_items_of_the_history_are_named_with_what_they_change(client: Client) -> None:
    body = explained(client)
    for item in body["items"]:
        for step in item["trace"]:
            assert [set(one) for one in step["because"]] == [{"item_id", "change"}] * 3
            assert {one["item_id"] for one in step["because"]} <= set(HISTORY)
            assert len({one["item_id"] for one in step["because"]}) == 3
        assert item["trace"][-1]["reward"] == pytest.approx(item["reward"], abs=1e-5)
    levels = body["search"]["levels"]
    assert [set(level) for level in levels] == [LEVEL] * 3
    assert [level["because"] for level in levels] == [step["because"] for step in body["items"][0]["trace"]]


def test_the_strongest_rejected_branch_and_the_votes_are_told(client: Client) -> None:
    for level in explained(client)["search"]["levels"]:
        assert 0 <= level["agreement"] <= 1
        assert level["deviation"] > 0
        if level["rejected"] is None:
            assert level["kept"] == level["expanded"]
            continue
        assert set(level["rejected"]) == {"sid", "log_prob", "reward", "lost_by"}
        assert len(level["rejected"]["sid"]) == level["level"]
        assert level["rejected"]["lost_by"] >= 0


def test_one_item_leaves_nothing_to_remove(client: Client) -> None:
    body = explained(client, history=[IDS[4], IDS[4]])
    assert [level["because"] for level in body["search"]["levels"]] == [[]] * 3
    assert all(step["because"] == [] for item in body["items"] for step in item["trace"])


def test_a_plain_beam_gives_no_reasons(client: Client) -> None:
    body = explained(client, strategy="beam")
    for level in body["search"]["levels"]:
        told = (level["because"], level["rejected"], level["agreement"], level["deviation"], level["entropy"])
        assert told == (None,) * 5
    assert all(step["because"] is None for item in body["items"] for step in item["trace"])


def test_the_answer_itself_is_the_same(client: Client) -> None:
    told = explained(client)
    plain = client.recommend(history=HISTORY, k=5, budget="k10").json()
    assert "search" not in plain
    assert [item | {"trace": None} for item in told["items"]] == [item | {"trace": None} for item in plain["items"]]


def test_explanations_of_a_batch_are_those_of_each_alone(client: Client) -> None:
    bodies: list[dict[str, Any]] = [
        {"history": IDS[n : n + 4], "k": 3, "budget": "k10", "explain": n % 2 == 0} for n in range(6)
    ]
    together = client.call("POST", "/recommend/batch", json=bodies).json()
    for body, one in zip(bodies, together, strict=True):
        alone = client.recommend(**body).json()
        assert one["response"]["items"] == alone["items"]
        assert one["response"].get("search") == alone.get("search")


@pytest.mark.parametrize("tier", ["k10", "k50"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_can_be_explained(client: Client, strategy: str, tier: str) -> None:
    """Where items are rewarded, all but the items of a plain beam have reasons at their leaf."""
    if strategy not in client.runtime.bundles.get().ladder.strategies:
        pytest.skip("needs what the fake model has not")
    body = explained(client, strategy=strategy, budget=tier)
    levels = body["search"]["levels"]
    assert len(body["items"]) == 5
    for item in body["items"]:
        assert [step["level"] for step in item["trace"]] == [1, 2, 3]
        assert item["trace"][-1]["sid"] == item["sid"]
        assert (item["reward"] is None) == (item["trace"][-1]["because"] is None)
        assert item["trace"][-1]["reward"] == (
            None if item["reward"] is None else pytest.approx(item["reward"], abs=1e-5)
        )
    for level in levels:
        assert (level["entropy"] is None) == (level["because"] is None) == (level["agreement"] is None)


@pytest.mark.parametrize("tier", ["k10", "exact", "floor"])
def test_the_rules_that_were_tried_are_told(client: Client, tier: str) -> None:
    body = explained(client, budget=tier)
    assert body["checks"] == [{"rule": rule, "checked": 5, "broken": 0} for rule in RULES]
    assert "checks" not in client.recommend(history=HISTORY, budget=tier).json()
