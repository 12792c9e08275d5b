"""The whole service over a corrected bundle: every tier answers, the scores are PyTorch's, a batch changes nothing."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from both_sides import World, agree, corrected_world, histories_of, near
from fake_service import Client, made_runtime
from made_corrected import RECIPE
from tiny import BUNDLE_ITEMS, HISTORY, Bundles

from service.budget.ladder import AUTO, EXACT, SEARCHES
from service.loading import load_model
from service.settings import Settings

EVERY = (AUTO, *SEARCHES, EXACT)
Item = dict[str, Any]


@pytest.fixture(scope="module")
def world(bundles: Bundles, tmp_path_factory: pytest.TempPathFactory) -> World:
    return corrected_world(bundles, tmp_path_factory.mktemp("corrected") / "bundle")


@pytest.fixture(scope="module")
def client(world: World) -> Iterator[Client]:
    model = load_model(world.engine.bundle.path, Settings(device="cpu"))
    with Client(made_runtime(model, max_concurrent=80)) as opened:
        yield opened


def named(rows: Sequence[int]) -> list[str]:
    return [f"i{row - 1:03}" for row in rows]


def rows_of(items: Sequence[Item]) -> list[int]:
    return [int(item["item_id"][1:]) + 1 for item in items]


def items_of(client: Client, history: Sequence[int], **body: Any) -> list[Item]:
    response = client.recommend(history=named(history), **body)
    assert response.status_code == 200, response.text
    found: list[Item] = response.json()["items"]
    return found


def scores_of(items: Sequence[Item]) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.array([item["score"] for item in items], np.float32)


@pytest.mark.parametrize("tier", EVERY)
def test_every_tier_answers_with_unseen_items_in_order(client: Client, tier: str) -> None:
    for history in histories_of(HISTORY + 3, longest=HISTORY + 3, seed=1):
        items = items_of(client, history, k=7, budget=tier)
        rows, scores = rows_of(items), scores_of(items)
        assert len(set(rows)) == 7
        assert not set(rows) & set(history)
        assert np.isfinite(scores).all()
        assert (np.diff(scores) <= 0).all()


def test_the_exact_tier_is_pytorchs_corrected_ranking(client: Client, world: World) -> None:
    for history in histories_of(HISTORY, seed=2):
        leaves, inner = world.engine.scan(world.context([history]), RECIPE.pool) or (None, None)
        assert leaves is not None
        assert inner is not None
        pool = world.listed(leaves[0], inner[0])
        corrected = world.corrections(history, pool, inner[0]).numpy()
        order = np.argsort(-corrected, kind="stable")
        items = items_of(client, history, k=10, budget=EXACT)
        assert agree(rows_of(items), np.array(pool)[order[:10]].tolist(), corrected[order[:10]])
        assert near(scores_of(items), corrected[order[:10]])
        assert rows_of(items) != pool[:10]


def test_a_search_that_keeps_everything_is_the_exact_tier(client: Client) -> None:
    """Both correct all there is: k1000 holds the whole catalogue, and so does a list of all of it."""
    for history in histories_of(6, seed=3):
        exact, searched = (items_of(client, history, k=BUNDLE_ITEMS, budget=tier) for tier in (EXACT, "k1000"))
        assert len(exact) == BUNDLE_ITEMS - len(history)
        assert agree(rows_of(searched), rows_of(exact), scores_of(exact))
        assert near(scores_of(searched), scores_of(exact))


def test_score_is_the_corrected_reward_and_a_plain_beam_has_none(client: Client) -> None:
    history = histories_of(4, seed=4)[3]
    for item in items_of(client, history, budget="k50"):
        assert item["score"] == pytest.approx(item["reward"], abs=1e-5)
    assert all(item.get("reward") is None for item in items_of(client, history, budget="k50", strategy="beam"))
    assert all(item.get("reward") is None for item in items_of(client, history, budget="floor"))


@pytest.mark.parametrize("tiers", [("k10",), (EXACT,), ("k50",), ("floor", "k10", EXACT, "k100")])
def test_a_batch_gives_the_lists_of_the_same_requests_alone(client: Client, tiers: tuple[str, ...]) -> None:
    """Histories of different lengths, longer than what is read among them."""
    histories = histories_of(12, longest=HISTORY + 4, seed=5)
    bodies = [
        {"history": named(history), "k": 6, "budget": tiers[number % len(tiers)]}
        for number, history in enumerate(histories)
    ]
    results = client.call("POST", "/recommend/batch", json=bodies).json()
    for history, body, result in zip(histories, bodies, results, strict=True):
        alone = items_of(client, history, k=6, budget=body["budget"])
        together = result["response"]["items"]
        assert agree(rows_of(together), rows_of(alone), scores_of(alone))
        assert near(scores_of(together), scores_of(alone))


@pytest.mark.parametrize("tier", ["k10", EXACT])
def test_a_filter_that_leaves_a_few_gives_those(client: Client, tier: str) -> None:
    allowed = [3, 30, 60, 61]
    others = named([row for row in range(1, BUNDLE_ITEMS + 1) if row not in allowed])
    assert sorted(rows_of(items_of(client, [1, 2], k=9, budget=tier, exclude=others))) == allowed


def test_what_a_search_did_can_be_explained(client: Client) -> None:
    body = client.recommend(history=named([4, 5, 6]), k=5, budget="k20", explain=True).json()
    assert [level["level"] for level in body["search"]["levels"]] == [1, 2, 3]
    assert all([step["level"] for step in item["trace"]] == [1, 2, 3] for item in body["items"])
