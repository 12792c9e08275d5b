"""What is counted is what the search did: against its own steps, and against the closed form of guided search."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from made_shelf import dataset, made_bundle

from models.dataset import Cases
from models.evaluation.counting import Counting, Counts
from models.evaluation.ranking import Method, Users, evaluate_engine
from models.evaluation.sweeping import Sweeper
from models.full_ranking import newest
from models.metrics import F64
from models.scaling import flops
from models.scaling.flops import Heads, Rescoring
from models.shelf.work import Spent
from service.search.guided import search
from service.search.plan import Plan, Rule
from service.search.spent import spent
from service.search.strategies.refine import Refined
from service.search.strategies.routed import Routed, Router

LENGTH = 5


@pytest.fixture(scope="module")
def sweeper(tmp_path_factory: pytest.TempPathFactory) -> Sweeper:
    return Sweeper(made_bundle(tmp_path_factory.mktemp("counted") / "bundle", "B"))


@pytest.fixture(scope="module")
def cases() -> Cases:
    return dataset().split("B").test


def counted(sweeper: Sweeper, cases: Cases, plan: Plan) -> Counts:
    counting = Counting(sweeper.engine)
    sweeper.rank([Method("one", plan)], *cases, counting)
    return counting.counts["one"]


def steps_of(sweeper: Sweeper, cases: Cases, plan: Plan) -> list[tuple[int, int]]:
    """Of every level, prefixes kept and children expanded over all users, as the steps have them."""
    users = Users(sweeper.engine.trie, sweeper.bundle.catalogue.sids, *cases, sweeper.engine.history_limit)
    found = search(sweeper.engine, users.context(sweeper.engine, np.arange(len(cases.targets))), plan, 10)
    levels = [spent(step) for step in found.steps]
    return [(sum(one.kept for one in level), sum(one.expanded for one in level)) for level in levels]


def totals(counts: F64) -> list[float]:
    values: list[float] = counts.sum(1).tolist()
    return values


@pytest.mark.parametrize("widths", [(10, 20), (10, 40), (15, 90)])
def test_counts_are_those_of_the_steps(sweeper: Sweeper, cases: Cases, widths: tuple[int, int]) -> None:
    plan = Plan.uniform(3, *widths, rule=Rule(0.0, 1.0))
    found, steps = counted(sweeper, cases, plan), steps_of(sweeper, cases, plan)
    assert totals(found.rewarded) == [expanded for _, expanded in steps]
    assert totals(found.beams) == [len(cases.targets), *(kept for kept, _ in steps[:-1])]
    assert not found.voted.any()
    assert not found.corrected.any()


def test_counts_lie_where_the_histories_are(sweeper: Sweeper, cases: Cases) -> None:
    found = counted(sweeper, cases, Plan.uniform(3, 10, 40))
    lengths = np.bincount([len(history) for history in newest(cases.histories, sweeper.engine.history_limit)])
    assert np.array_equal(found.beams[0, : len(lengths)], lengths)


def test_a_plain_beam_rewards_nothing_and_more_passes_expand_more(sweeper: Sweeper, cases: Cases) -> None:
    assert not counted(sweeper, cases, Plan.uniform(3, 10, 10, use_prm=False)).rewarded.any()
    once = Plan.uniform(3, 10, 20, rule=Rule(0.0, 1.0))
    again = Plan(once.levels, rule=once.rule, finishing=Refined(rounds=2))
    first, more = (counted(sweeper, cases, plan) for plan in (once, again))
    assert (more.beams >= first.beams).all()
    assert more.beams.sum() > first.beams.sum()


def test_methods_do_not_share_their_counts(sweeper: Sweeper, cases: Cases) -> None:
    counting = Counting(sweeper.engine)
    plans = {"narrow": Plan.uniform(3, 10, 20), "wide": Plan.uniform(3, 30, 60)}
    together = sweeper.rank([Method(*pair) for pair in plans.items()], *cases, counting)
    for name, plan in plans.items():
        alone = counted(sweeper, cases, plan)
        assert np.array_equal(counting.counts[name].beams, alone.beams)
    common = (sweeper.engine, sweeper.engine.trie, sweeper.bundle.catalogue.sids, *cases)
    plain = evaluate_engine(*common, [Method(*pair) for pair in plans.items()], history_limit=8, timed=0)
    for one, other in zip(together, plain, strict=True):
        assert one.width == 10
        assert np.array_equal(one.rank, np.where(other.rank <= 10, other.rank, 0))


def test_a_strategy_runs_as_it_does_for_ten_items(sweeper: Sweeper, cases: Cases) -> None:
    wide = Plan.uniform(3, 30, 60)
    asleep = Routed(Plan.uniform(3, 10, 20), Router(lambda log_prob, *_: np.zeros(len(log_prob), np.float32)), 0.5)
    routed, narrow = counted(sweeper, cases, replace(wide, routing=asleep)), counted(sweeper, cases, asleep.cheap)
    assert np.array_equal(routed.beams, narrow.beams)


def made_counts(beams: Sequence[float], rewarded: Sequence[float], users: int) -> Counts:
    """The same for each of so many users, all of one length."""
    counts = Counts.none(3)
    counts.beams[:, LENGTH], counts.rewarded[:, LENGTH] = np.array(beams) * users, np.array(rewarded) * users
    return counts


def test_work_is_the_closed_form_where_every_level_is_full(sweeper: Sweeper) -> None:
    sizes, levels = sweeper.sizes(), ((3, 4), (5, 9), (6, 11))
    found = Spent.of(made_counts((1, 3, 5), (4, 9, 11), 7), {LENGTH: 7}, sizes)
    assert found.work == flops.search(sizes, levels, (0, 1, 2), LENGTH)
    assert (found.beams, found.rewarded) == ((1.0, 3.0, 5.0), (4.0, 9.0, 11.0))
    plain = Spent.of(made_counts((1, 4, 9), (0, 0, 0), 2), {LENGTH: 2}, sizes)
    assert plain.work == flops.search(sizes, ((4, 4), (9, 9), (11, 11)), (), LENGTH)


def test_work_is_averaged_over_lengths(sweeper: Sweeper) -> None:
    sizes, counts = sweeper.sizes(), made_counts((1, 3, 5), (4, 9, 11), 3)
    counts.beams[:, 1], counts.rewarded[:, 1] = (1, 1, 1), (2, 2, 2)
    long, short = (flops.counted(sizes, *x) for x in (((1, 3, 5), (4, 9, 11), LENGTH), ((1, 1, 1), (2, 2, 2), 1)))
    assert Spent.of(counts, {LENGTH: 3, 1: 1}, sizes).work.total == pytest.approx(
        (3 * long.total + short.total) / 4, 1e-6
    )


def test_leaves_that_are_corrected_and_votes_cost_what_they_are(sweeper: Sweeper) -> None:
    plain = sweeper.sizes()
    rescoring = Rescoring(pool=30, newest=4, groups=2, profile=8, width=8, heads=2)
    sizes = replace(plain, correction=rescoring)
    counts = made_counts((1, 3, 5), (4, 9, 11), 1)
    before = Spent.of(counts, {LENGTH: 1}, sizes).work
    assert before.extra == 0
    counts.corrected[-1, LENGTH] = 30
    assert Spent.of(counts, {LENGTH: 1}, sizes).work == replace(before, extra=rescoring.work(LENGTH))
    counts.voted[1, LENGTH], counts.calls[1, LENGTH] = 9, 1
    voted = Spent.of(counts, {LENGTH: 1}, sizes, Heads(4, 2)).work
    width = sizes.dims.width
    assert voted.extra - rescoring.work(LENGTH) == (4 + 1) * (4 * width * 2 + 9 * 2 * width)


def test_what_was_spent_survives_json(sweeper: Sweeper) -> None:
    found = Spent.of(made_counts((1, 3, 5), (4, 9, 11), 7), {LENGTH: 7}, sweeper.sizes())
    assert Spent.read(found.as_json()) == found
    with pytest.raises(KeyError):
        Spent.read({"work": vars(found.work)})
