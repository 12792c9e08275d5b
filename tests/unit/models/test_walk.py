"""A walk chosen from measured tiers: the planted difficulty is found, budgets hold, figures are the walk's own."""

from dataclasses import replace

import numpy as np
import pytest
from made_spending import TIERS, WIDTH, made_spending
from pydantic import ValidationError

from models import allocation, spending_report, walk
from models.evaluation import choose_walk, difficulties, trials
from models.manifest import Walk
from models.report import to_markdown
from models.results import ResultsError

SPEND = 0.75
MADE = made_spending()


@pytest.fixture(scope="module")
def chosen() -> Walk:
    return choose_walk(MADE, "learned", SPEND)


def test_the_best_fixed_tier_is_the_cheapest_that_is_not_surely_worse() -> None:
    assert walk.best_fixed(MADE) == 3
    level = MADE.rank.copy()
    level[:, 2] = level[:, 3]
    assert walk.best_fixed(replace(MADE, rank=level)) == 2


@pytest.mark.parametrize("known", [True, False])
def test_the_planted_difficulty_is_learned_and_pays(known: bool) -> None:
    made = made_spending(known=known)
    learned, entropy = trials(made, SPEND, ("learned", "entropy"))
    assert learned.against_random.low > 0
    assert learned.ndcg > entropy.ndcg
    assert learned.cost <= SPEND + 0.03  # thresholds of one half, costs of the other
    assert learned.against_best.high >= 0
    found = choose_walk(made, "learned", SPEND)
    assert found.learned is not None
    codes = found.learned.codes
    assert min(codes[WIDTH // 2 :]) > max(codes[: WIDTH // 2])


def test_the_walk_gives_wide_tiers_to_the_hard(chosen: Walk) -> None:
    assert chosen.tiers == TIERS
    assert chosen.widths == MADE.widths
    assert list(chosen.thresholds) == sorted(chosen.thresholds)
    steps = allocation.by_difficulty(difficulties(MADE, chosen), chosen.thresholds)
    hard = MADE.reward.argmax(1) >= WIDTH // 2
    assert steps[hard].mean() > steps[~hard].mean() + 1
    assert MADE.times.auto[steps].mean() <= SPEND * MADE.times.fixed[3]


def test_more_money_never_buys_less_and_too_little_buys_nothing() -> None:
    hard = difficulties(MADE, Walk(tiers=TIERS, signal="entropy"))
    points = walk.frontier(hard, walk.worth(MADE), MADE.times.auto)
    best = [walk.choose(points, budget).worth for budget in (4.5, 6.0, 9.0, 12.0)]
    assert best == sorted(best)
    with pytest.raises(ResultsError, match="cheapest"):
        walk.choose(points, 1.0)


def test_a_study_has_every_way_to_spend(chosen: Walk) -> None:
    test = made_spending(seed=1)
    found = spending_report.study(test, chosen, difficulties(test, chosen))
    names = [row.way.name for row in found.rows]
    assert names[:6] == [*TIERS, "exact", "auto"]
    auto, lot, best = (found.row(name) for name in ("auto", "random, same mix", "k50"))
    assert auto.way.cost == pytest.approx(lot.way.cost)
    assert lot.from_auto is not None
    assert lot.from_auto.low > 0
    assert best.to_best is None
    assert auto.of_best == pytest.approx(auto.way.cost / 11.5)
    oracle = found.row("oracle of the PRM's belief")
    assert oracle.way.cost <= auto.way.cost + 1e-9
    assert found.row("oracle of the target").way.quality >= auto.way.quality
    part = spending_report.closed(found)
    assert part is not None
    assert part > 0
    page = spending_report.page(found)
    assert to_markdown(*spending_report.cells(found)).strip() in page
    assert [row["way"] for row in spending_report.as_json(found)] == names


def test_without_a_scan_there_is_no_belief_to_be_an_oracle_of() -> None:
    made = made_spending(known=False)
    blind = replace(made, times=replace(made.times, exact=np.full(5, np.nan, np.float32)))
    own = choose_walk(blind, "learned", SPEND)
    found = spending_report.study(blind, own, difficulties(blind, own))
    assert {"exact", "oracle of the PRM's belief"}.isdisjoint(row.way.name for row in found.rows)
    assert spending_report.closed(found) is None


def test_a_walk_over_other_tiers_cannot_be_judged() -> None:
    other = Walk(tiers=("k10", "k50"), thresholds=(0.5,))
    for wrong in (other, Walk(tiers=TIERS)):
        with pytest.raises(ResultsError, match="cannot be judged"):
            spending_report.study(MADE, wrong, np.zeros(MADE.users, np.float32))


def test_the_frontier_on_test_users_climbs_with_what_it_spends(chosen: Walk) -> None:
    test = made_spending(seed=1)
    hard = difficulties(MADE, chosen), difficulties(test, chosen)
    ways = spending_report.frontiers(MADE, test, hard)
    costs = [auto.cost for auto, _ in ways]
    assert len(costs) > 2
    assert ways[-1][0].quality > ways[0][0].quality
    assert all(auto.cost == pytest.approx(lot.cost) for auto, lot in ways)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"thresholds": (0.5, 0.4, 0.6)}, "climb"),
        ({"thresholds": (0.5,)}, "one threshold"),
        ({"signal": "learned"}, "needs its weights"),
        ({"tiers": ()}, "at least 1"),
    ],
)
def test_a_walk_that_contradicts_itself_is_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Walk.model_validate({"tiers": TIERS, **fields})
