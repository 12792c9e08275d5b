"""The use case over the fake engine: legality, caching, fallbacks, deadlines, reproducibility."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from fake_service import asked, made_model, opened
from made import made_catalogue

from service.budget.ladder import AUTO, EXACT
from service.engine.fake import FakeEngine
from service.errors import UnavailableError
from service.experiments.assignment import Assignments
from service.items import resolve, tokens
from service.recommender import Answer, Ask
from service.runtime import Runtime
from service.search.guided import Deadline
from service.search.plan import Rule
from service.search.trie import build

CATALOGUE = made_catalogue()
IDS = tuple(CATALOGUE.ids)
HISTORY = IDS[:7]


@pytest.fixture(scope="module")
def runtime() -> Iterator[Runtime]:
    with opened(made_model(CATALOGUE)) as runtime:
        yield runtime


async def recommend(runtime: Runtime, ask: Ask, deadline: Deadline | None = None) -> Answer:
    return await runtime.recommender.recommend(ask, Assignments(), deadline or Deadline(), "a-request")


def rows(given: Answer) -> list[int]:
    return [scored.row for scored in given.items]


@pytest.mark.parametrize("tier", [AUTO, "floor", "k10", "k200", "k1000", EXACT])
def test_random_histories_get_legal_distinct_unseen_items(runtime: Runtime, tier: str) -> None:
    rng = np.random.default_rng(7)
    for _ in range(25):
        history = tuple(rng.choice(IDS, rng.integers(1, 40)).tolist())
        exclude = tuple(rng.choice(IDS, 5).tolist())
        given = asked(runtime, Ask(history, k=20, budget=tier, exclude=exclude))
        ids = [IDS[row - 1] for row in rows(given)]
        assert len(ids) == len(set(ids)) == 20
        assert not set(ids) & {*history, *exclude}
        scores = [scored.score for scored in given.items]
        assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("tier", ["floor", "k50", EXACT])
def test_the_same_ask_gives_the_same_answer_cached_or_fresh(tier: str) -> None:
    ask = Ask(HISTORY, k=10, budget=tier, explain=tier != EXACT)
    with opened(made_model(CATALOGUE)) as cached, opened(made_model(CATALOGUE), cache_mb=0) as fresh:
        answers = [asked(cached, ask), asked(cached, ask), asked(fresh, ask)]
    assert [given.cache for given in answers] == ["miss", "hit", "off"]
    assert answers[0].items == answers[1].items == answers[2].items
    assert ["encode" in given.seconds for given in answers] == [True, False, True]


def test_exhaustive_guided_search_is_the_exact_scan(runtime: Runtime) -> None:
    assert rows(asked(runtime, Ask(HISTORY, k=290, budget="k1000"))) == rows(
        asked(runtime, Ask(HISTORY, k=290, budget=EXACT))
    )


def test_seen_items_come_back_only_when_asked(runtime: Runtime) -> None:
    everything = asked(runtime, Ask(HISTORY, k=300, budget=EXACT, exclude_seen=False))
    assert len(everything.items) == 300
    unseen = asked(runtime, Ask(HISTORY, k=300, budget=EXACT))
    assert len(unseen.items) == 300 - len(HISTORY)


def test_items_cut_from_a_long_history_still_count_as_seen(runtime: Runtime) -> None:
    given = asked(runtime, Ask(IDS[:100], k=200, budget=EXACT))
    assert (len(given.history.rows), given.history.truncated) == (20, 80)
    assert min(rows(given)) > 100


def test_an_unknown_history_gets_the_popular_and_says_so(runtime: Runtime) -> None:
    given = asked(runtime, Ask(("?", "??"), k=5, exclude=(IDS[CATALOGUE.by_popularity[0] - 1],)))
    assert (given.source, given.choice.tier, given.choice.reason) == ("popularity", "none", "no_history")
    assert (given.history.unknown, given.degraded) == (2, None)
    assert rows(given) == CATALOGUE.by_popularity[1:6].tolist()


@pytest.mark.parametrize("tier", ["floor", "k10", EXACT])
def test_more_than_there_is_is_all_there_is(runtime: Runtime, tier: str) -> None:
    assert sorted(rows(asked(runtime, Ask(HISTORY, k=1000, budget=tier)))) == list(range(8, 301))


def test_a_crowd_gets_what_each_would_get_alone(runtime: Runtime) -> None:
    asks = [Ask(IDS[n : n + 3], budget=tier) for n in range(10) for tier in ("floor", "k50", EXACT)]

    async def crowd() -> list[Answer]:
        return await asyncio.gather(*(recommend(runtime, ask) for ask in asks))

    assert [given.items for given in asyncio.run(crowd())] == [asked(runtime, ask).items for ask in asks]


def test_nothing_legal_is_an_empty_answer(runtime: Runtime) -> None:
    for tier in ("floor", "k50", EXACT):
        assert rows(asked(runtime, Ask(HISTORY, k=10, budget=tier, exclude=IDS))) == []


def test_a_plain_beam_has_no_rewards_and_a_scan_no_log_probabilities(runtime: Runtime) -> None:
    assert {scored.reward for scored in asked(runtime, Ask(HISTORY, strategy="beam")).items} == {None}
    assert {scored.log_prob for scored in asked(runtime, Ask(HISTORY, budget=EXACT)).items} == {None}


def test_a_deadline_that_passes_in_the_search_degrades_the_answer(runtime: Runtime) -> None:
    # Not passed while it waits in the queue, which asks the clock twice; passed at once on the search's own clock.
    ticks = iter([0.0] * 2 + [10.0] * 100)
    given = asked(runtime, Ask(HISTORY), Deadline(5.0, clock=lambda: next(ticks)))
    assert (given.degraded, given.source) == ("deadline", "search")
    assert len(given.items) == 10


def test_a_deadline_that_passed_before_the_search_gives_the_popular(runtime: Runtime) -> None:
    async def crowded() -> Answer:
        tasks = [recommend(runtime, Ask(HISTORY, budget="k1000")) for _ in range(5)]
        waiting = [asyncio.create_task(task) for task in tasks]
        await asyncio.sleep(0)
        late = await recommend(runtime, Ask(HISTORY), Deadline(0.0))
        await asyncio.gather(*waiting)
        return late

    given = asyncio.run(crowded())
    assert (given.degraded, given.source, given.choice.reason) == ("expired", "popularity", "expired")
    assert len(given.items) == 10


def test_an_engine_without_a_scan_offers_no_exact_tier() -> None:
    model = made_model(CATALOGUE, FakeEngine(build(CATALOGUE.sids), has_scan=False))
    with opened(model) as runtime:
        assert EXACT not in runtime.bundles.get().ladder.names


def test_the_scoring_weight_of_the_bundle_is_the_one_searched_with() -> None:
    weighted = replace(made_model(CATALOGUE), rule=Rule(1.0, 1.0))
    ask = Ask(HISTORY, budget="k50")
    with opened(made_model(CATALOGUE)) as one, opened(weighted) as other:
        plain, found = asked(one, ask), asked(other, ask)
    for scored in found.items:
        assert scored.reward is not None
        assert scored.log_prob is not None
        assert scored.score == pytest.approx(scored.reward + scored.log_prob, abs=1e-5)
    assert rows(plain) != rows(found)


def test_a_process_that_is_ending_says_so() -> None:
    with opened(made_model(CATALOGUE)) as ending:
        ending.batcher.close()
        with pytest.raises(UnavailableError):
            asked(ending, Ask(HISTORY))


@pytest.mark.parametrize("added", [0, 150, 300])
def test_an_encoding_is_kept_under_what_the_encoder_reads(added: int) -> None:
    catalogue = replace(CATALOGUE, added=added)
    with opened(made_model(catalogue)) as runtime:
        ask = Ask(history=(IDS[0], IDS[149], IDS[150], IDS[299]))
        assert asyncio.run(recommend(runtime, ask)).cache == "miss"
        codes, items, _ = tokens(catalogue, resolve(catalogue, ask.history or (), 50).rows)
        key = runtime.cache.key(runtime.bundles.get().encoder, codes[0], items[0])
        assert runtime.cache.peek(key, runtime.bundles.get().encoder) is not None
