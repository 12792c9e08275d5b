"""GET /catalogue and below: the shape of every answer, and what is made of wrong questions."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from expected_problem import assert_problem
from fake_service import Client, made_model, made_runtime
from made_bundle import named_catalogue

from service.api.schemas.catalogue import CatalogueShown, ItemsShown, PrefixesShown, SamplesShown
from service.engine.bundle import load
from service.engine.titles import read
from service.settings import SHIPPED_BUNDLE

BARE = named_catalogue()
TITLES = [b'{"item_id": "B000000007", "title": "Argan oil"}', b'{"item_id": "B000000009", "title": "Foil"}']
CATALOGUE = replace(BARE, titles=read(TITLES, BARE.rows))


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with Client(made_runtime(made_model(CATALOGUE), default_tier="k20")) as opened:
        yield opened


def got(client: Client, path: str, **query: Any) -> Any:
    response = client.call("GET", path, params=query)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    return response.json()


def test_bundles_tiers_and_defaults(client: Client) -> None:
    found = CatalogueShown.model_validate(got(client, "/catalogue"))
    (bundle,) = found.bundles
    assert (bundle.slot, bundle.name, bundle.version, bundle.items, bundle.depth) == ("made", "made", "1", 300, 3)
    assert (bundle.codebook, bundle.titles) == (8, True)
    ladder = client.runtime.bundles.get().ladder
    assert [tier.name for tier in bundle.tiers] == list(ladder.names)
    assert (bundle.walk, bundle.strategies) == (list(ladder.walk), list(ladder.strategies))
    assert found.default.model_dump() == {"bundle": "made", "tier": "k20", "strategy": "guided"}
    assert (found.header, found.deadline_ms) == ("X-AB-Bucket", 2000)


def test_a_tier_is_told_as_it_runs_with_its_cost_at_the_moment(client: Client) -> None:
    served = client.runtime.bundles.get()
    tiers = {tier["name"]: tier for tier in got(client, "/catalogue")["bundles"][0]["tiers"]}
    for name in served.ladder.names[:-1]:
        budget = client.recommend(history=[CATALOGUE.ids[0]], budget=name).json()["budget"]
        assert (tiers[name]["k_keep"], tiers[name]["k_plus"]) == (budget["k_keep"], budget["k_plus"])
        assert tiers[name]["ms"] > 0
    assert tiers["exact"] == {"name": "exact", "k_keep": 300, "k_plus": 300, "ms": None}
    for _ in range(20):
        served.controller.costs.observe("k50", 200, 1, 100.0)
    slower = {tier["name"]: tier["ms"] for tier in got(client, "/catalogue")["bundles"][0]["tiers"]}
    assert slower["k50"] > 2 * tiers["k50"]["ms"]


def test_items_by_words(client: Client) -> None:
    found = got(client, "/catalogue/items", q="OIL")
    ItemsShown.model_validate(found)
    names = [item["title"] or item["category"] for item in found["items"]]
    assert found["total"] > len(names) == 20
    assert "Argan oil" in [item["title"] for item in got(client, "/catalogue/items", q="oil", limit=100)["items"]]
    (only,) = got(client, "/catalogue/items", q="argan b0000")["items"]
    row = CATALOGUE.rows["B000000007"]
    category, brand = CATALOGUE.category[row - 1], CATALOGUE.brand[row - 1]
    assert only == {
        "item_id": "B000000007",
        "title": "Argan oil",
        "category": CATALOGUE.categories[category] or None if category >= 0 else None,
        "brand": CATALOGUE.brands[brand] or None if brand >= 0 else None,
        "sid": CATALOGUE.sids[row - 1].tolist(),
        "popularity": int(CATALOGUE.popularity[row - 1]),
    }
    assert got(client, "/catalogue/items", q="no such thing") == {"items": [], "total": 0}


def test_items_without_words_are_the_most_popular(client: Client) -> None:
    found = got(client, "/catalogue/items", limit=3)
    assert [item["item_id"] for item in found["items"]] == [
        CATALOGUE.ids[row - 1] for row in CATALOGUE.by_popularity[:3]
    ]
    assert found["total"] == 300


def test_items_by_id_come_in_the_order_asked_and_once(client: Client) -> None:
    found = got(client, "/catalogue/items", id=["B000000009", "nobody", "B000000007", "B000000009"])
    assert [item["item_id"] for item in found["items"]] == ["B000000009", "B000000007"]
    assert found["total"] == 2
    assert got(client, "/catalogue/items", id=["nobody"]) == {"items": [], "total": 0}
    assert len(got(client, "/catalogue/items", id=list(CATALOGUE.ids[:200]))["items"]) == 200


def test_samples_are_the_bundles_own(client: Client) -> None:
    found = got(client, "/catalogue/samples")
    SamplesShown.model_validate(found)
    assert found == {"samples": [list(ids) for ids in CATALOGUE.samples]}
    assert len(got(client, "/catalogue/samples", limit=1, bundle="made")["samples"]) == 1


def test_prefixes_say_what_codes_stand_for(client: Client) -> None:
    sid = CATALOGUE.sids[0].tolist()
    asked = [".".join(map(str, sid[:length])) for length in (1, 2, 3)]
    found = got(client, "/catalogue/prefixes", sid=[*asked, "7777", asked[0], "1.2.3.4.5.6"])
    PrefixesShown.model_validate(found)
    assert [one["sid"] for one in found["prefixes"]] == [sid[:1], sid[:2], sid]
    counts = [one["items"] for one in found["prefixes"]]
    assert counts == [int((CATALOGUE.sids[:, :n] == sid[:n]).all(1).sum()) for n in (1, 2, 3)]
    assert found["prefixes"][2]["examples"] == got(client, "/catalogue/items", id=CATALOGUE.ids[0])["items"]
    for one in found["prefixes"]:
        assert len(one["examples"]) <= 3
        assert len(one["categories"]) <= 3
        assert sum(category["share"] for category in one["categories"]) <= 1.001
    assert got(client, "/catalogue/prefixes") == {"prefixes": []}


WRONG: dict[str, tuple[str, dict[str, Any], str]] = {
    "an endless q": ("items", {"q": "x" * 201}, "query q: "),
    "a control character": ("items", {"q": "a\x00b"}, "query q: Control characters are not searched for."),
    "a line break": ("items", {"q": "a\nb"}, "query q: Control characters"),
    "words and ids": ("items", {"q": "a", "id": "b"}, "q: ask by words or by id, not both."),
    "too many ids": ("items", {"id": ["x"] * 201}, "query id: "),
    "an endless id": ("items", {"id": "x" * 257}, "query id.0: "),
    "an empty id": ("items", {"id": ["x", ""]}, "query id.1: "),
    "no items": ("items", {"limit": 0}, "query limit: "),
    "too many items": ("items", {"limit": 101}, "query limit: "),
    "a limit in words": ("items", {"limit": "many"}, "query limit: "),
    "an unknown question": ("items", {"query": "x"}, "query query: "),
    "too many samples": ("samples", {"limit": 101}, "query limit: "),
    "codes in words": ("prefixes", {"sid": "a.b"}, "query sid.0: Codes with dots between them are needed"),
    "a negative code": ("prefixes", {"sid": ["1", "-1"]}, "query sid.1: "),
    "an empty prefix": ("prefixes", {"sid": ""}, "query sid.0: "),
    "a dot too many": ("prefixes", {"sid": "1.2."}, "query sid.0: "),
    "an endless prefix": ("prefixes", {"sid": ".".join("1" * 200)}, "query sid.0: "),
    "a huge code": ("prefixes", {"sid": "9" * 100}, "query sid.0: "),
    "digits of another script": ("prefixes", {"sid": "١"}, "query sid.0: "),
    "too many prefixes": ("prefixes", {"sid": ["1"] * 201}, "query sid: "),
    "an endless bundle": ("items", {"bundle": "x" * 257}, "query bundle: "),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_question_is_named(client: Client, name: str) -> None:
    path, query, start = WRONG[name]
    problem = assert_problem(client.call("GET", f"/catalogue/{path}", params=query), 422, "invalid-request")
    assert problem["detail"].startswith(start)


@pytest.mark.parametrize("path", ["items", "samples", "prefixes"])
def test_an_unknown_bundle_and_another_method(client: Client, path: str) -> None:
    response = client.call("GET", f"/catalogue/{path}", params={"bundle": "none"})
    assert "there are: made" in assert_problem(response, 404, "not-found")["detail"]
    assert_problem(client.call("POST", f"/catalogue/{path}", json={}), 405, "method-not-allowed")


def test_bytes_that_are_no_text_find_nothing(client: Client) -> None:
    for query in ("q=%ff%fe", "q=%ed%a0%80", "id=%ff"):
        response = client.call("GET", f"/catalogue/items?{query}")
        assert response.status_code == 200, response.text
        assert response.json() == {"items": [], "total": 0}


def test_the_shipped_bundle_is_looked_up_alike() -> None:
    catalogue = load(Path(SHIPPED_BUNDLE)).catalogue
    with Client(made_runtime(made_model(catalogue))) as client:
        bundle = got(client, "/catalogue")["bundles"][0]
        assert (bundle["items"], bundle["depth"], bundle["titles"]) == (12_101, 3, False)
        found = got(client, "/catalogue/items", q="shampoo nioxin", limit=100)
        assert found["total"] == len(found["items"]) > 1
        for item in found["items"]:
            assert "Shampoo" in item["category"]
            assert (item["brand"], item["title"]) == ("Nioxin", None)
        for history in got(client, "/catalogue/samples", limit=100)["samples"]:
            assert [item["item_id"] for item in got(client, "/catalogue/items", id=history)["items"]] == history
        everything = got(client, "/catalogue/prefixes", sid=[str(code) for code in range(200)])
        counted = {one["sid"][0]: one["items"] for one in everything["prefixes"]}
        assert counted == {code: n for code in range(200) if (n := int((catalogue.sids[:, 0] == code).sum()))}
