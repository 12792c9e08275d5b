"""A batch on the device: mixed tiers, histories encoded once, tiers decided after level 1, cheap answers first."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from fake_service import made_model, opened
from made import made_catalogue

from models.manifest import Walk
from service.budget.ladder import EXACT, Choice
from service.engine.fake import FakeEngine
from service.engine.protocol import F16, I32
from service.search.guided import Deadline
from service.search.trie import banned, build
from service.searcher import Searcher
from service.served import Served
from service.tasks import Outcome, Task

CATALOGUE = made_catalogue(items=300, codes=16)
TRIE = build(CATALOGUE.sids)


class CountingEngine(FakeEngine):
    """Counts what it is asked to do."""

    def __init__(self) -> None:
        super().__init__(TRIE)
        self.encoded: list[int] = []

    def encode(self, codes: I32, items: I32, lengths: I32) -> F16:
        self.encoded.append(len(lengths))
        return super().encode(codes, items, lengths)


@dataclass
class Reply:
    job: Task
    order: list["Reply"]
    outcome: Outcome | None = field(default=None)

    def deliver(self, value: Outcome) -> None:
        assert self.outcome is None
        self.outcome = value
        self.order.append(self)


def task(served: Served, rows: Sequence[int], tier: str | None = "k10", k: int = 5) -> Task:
    history = np.array(rows, np.int32)
    choice = None if tier is None else served.ladder.choice(tier, tier, "requested", k)
    illegal = banned(TRIE, rows)
    key = history.tobytes()
    return Task(history, key, None, illegal, k, choice, "guided", None, None, None, False, Deadline())


def test_what_takes_more_passes_does_not_depend_on_who_asks_for_more(served: Served) -> None:
    def asked(rows: Sequence[int], k: int, name: str) -> Task:
        choice = served.ladder.choice("k10", "k10", "requested", k, name)
        return replace(task(served, rows, None, k), choice=choice, strategy=name)

    for name in ("refine", "backtrack"):
        histories = [[at, at + 7] for at in range(1, 49)]
        few, many = ([asked(rows, k, name) for rows in histories] for k in (1, 9))
        alone = [ran(served.searcher, [one])[0][0].items for one in few]
        mixed = ran(served.searcher, [*few, *many])[0]
        assert [outcome.items for outcome in mixed[: len(few)]] == alone


def ran(searcher: Searcher, tasks: Sequence[Task], backlog: int = 0) -> tuple[list[Outcome], list[Reply]]:
    """Outcomes in the order of the tasks, replies in the order they were delivered."""
    order: list[Reply] = []
    replies = [Reply(one, order) for one in tasks]
    searcher.run(replies, backlog)
    found = [reply.outcome for reply in replies]
    assert all(found)
    return [one for one in found if one], order


@pytest.fixture
def engine() -> CountingEngine:
    return CountingEngine()


@pytest.fixture
def served(engine: CountingEngine) -> Served:
    with opened(made_model(CATALOGUE, engine), target_ms=10_000) as runtime:
        engine.encoded.clear()  # what warming up encoded
        return runtime.bundles.get()


def test_a_mixed_batch_gives_each_what_it_gets_alone_and_the_cheap_ones_first(served: Served) -> None:
    tiers = ["k100", "floor", EXACT, "k10", "floor", "k50"]
    tasks = [task(served, [row, row + 50, row + 90], tier) for row, tier in enumerate(tiers, 1)]
    together, order = ran(served.searcher, tasks)
    for one, alone in zip(together, (ran(served.searcher, [single])[0][0] for single in tasks), strict=True):
        assert one.items == alone.items
        assert one.spent == alone.spent
        assert (one.batch, alone.batch) == (len(tiers), 1)
    delivered = [reply.job.choice.tier for reply in order if isinstance(reply.job.choice, Choice)]
    assert delivered == [EXACT, "floor", "floor", "k10", "k50", "k100"]


def test_a_history_is_encoded_once_however_often_it_occurs(served: Served, engine: CountingEngine) -> None:
    first, _ = ran(served.searcher, [task(served, [1, 2]), task(served, [3]), task(served, [1, 2], "floor")])
    assert engine.encoded == [2]
    assert all(one.memory is not None for one in first)
    second, _ = ran(served.searcher, [task(served, [1, 2]), task(served, [9])])
    assert engine.encoded == [2, 1]
    assert [one.memory is None for one in second] == [True, False]
    assert second[0].items == first[0].items


def test_an_encoding_that_was_brought_along_is_used(served: Served, engine: CountingEngine) -> None:
    fresh, _ = ran(served.searcher, [task(served, [7, 8, 9])])
    brought = replace(task(served, [7, 8, 9]), key=b"another", memory=fresh[0].memory)
    again, _ = ran(served.searcher, [brought])
    assert engine.encoded == [1]
    assert again[0].items == fresh[0].items


def test_undecided_requests_get_their_tier_after_level_1(served: Served) -> None:
    outcomes, _ = ran(served.searcher, [task(served, [row], None) for row in range(1, 6)])
    assert {one.choice.requested for one in outcomes} == {"auto"}
    assert {one.choice.tier for one in outcomes} <= set(served.ladder.walk)
    assert Counter(one.choice.reason for one in outcomes) == {"best": 5}
    for row, one in enumerate(outcomes, 1):
        alone, _ = ran(served.searcher, [task(served, [row], one.choice.tier)])
        assert alone[0].items == one.items


def test_a_long_queue_lowers_the_tier(served: Served) -> None:
    outcomes, _ = ran(served.searcher, [task(served, [4], None)], backlog=100_000)
    assert (outcomes[0].choice.tier, outcomes[0].choice.reason) == (served.ladder.walk[0], "load")


def test_bounds_hold_for_undecided_requests(served: Served) -> None:
    bounded = replace(task(served, [4], None), lowest="k20", highest="k20")
    outcomes, _ = ran(served.searcher, [bounded])
    assert (outcomes[0].choice.tier, outcomes[0].choice.reason) == ("k20", "bounds")


def test_what_is_served_corrects_the_costs(served: Served) -> None:
    costs = served.controller.costs
    before = costs.estimate("k10", 40, 1)
    assert before > 0
    for _ in range(3):
        ran(served.searcher, [task(served, [4], "k10")])
    assert costs.estimate("k10", 40, 1) != before


def test_a_plain_beam_does_not_pass_for_the_tier_that_named_its_width(served: Served) -> None:
    choice = served.ladder.choice("k50", "k50", "requested", 5, "beam")
    costs = served.controller.costs
    before = costs.estimate("k50", 200, 1), costs.level1(1)
    for _ in range(20):
        ran(served.searcher, [replace(task(served, [4], "k50"), choice=choice, strategy="beam")])
    assert (costs.estimate("k50", 200, 1), costs.level1(1)) == before


def test_difficulty_decides_and_company_does_not(engine: CountingEngine) -> None:
    walk = Walk(tiers=("floor", "k10", "k50"), signal="margin", thresholds=(0.7, 0.85))
    with opened(replace(made_model(CATALOGUE, engine), auto=walk), target_ms=60_000) as runtime:
        served = runtime.bundles.get()
        tasks = [task(served, [row, row + 1], None) for row in range(1, 41)]
        plain = [replace(one, strategy="beam") for one in tasks]
        together, _ = ran(served.searcher, [*tasks, *plain])
        alone = [ran(served.searcher, [one])[0][0] for one in (*tasks, *plain)]
    tiers = Counter((one.choice.tier, one.choice.reason) for one in together[: len(tasks)])
    assert set(tiers) == {("floor", "difficulty"), ("k10", "difficulty"), ("k50", "best")}
    assert {one.choice.reason for one in together[len(tasks) :]} == {"best"}  # no rewards to tell it by
    assert [one.choice for one in together] == [one.choice for one in alone]
    assert [one.items for one in together] == [one.items for one in alone]
