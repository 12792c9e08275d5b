"""Settings are chosen on validation users and judged on test users; what is kept must not be worse anywhere."""

import numpy as np
import pytest
from made_shelf import hits, made_measured, made_shelf

from models.metrics import Interval
from models.results import ResultsError
from models.shelf import seeds, verdicts
from models.shelf.study import Shelf
from models.shelf.verdicts import Judgement

UP, LEVEL, DOWN = Interval(0.1, 0.05, 0.2), Interval(0.0, -0.1, 0.1), Interval(-0.1, -0.2, -0.05)


def shelf(name: str, narrow: int, wide: int, some: int = 50) -> Shelf:
    """Guided search at two widths, and a strategy at two settings between them in cost."""
    control = [("guided 10/40", some, 100), ("guided 50/200", some + 40, 300)]
    tried = [("smc 10/40", narrow, 200), ("smc 50/200", wide, 250)]
    return made_shelf(name, *(made_measured(x, hits(count), flop, flop / 50) for x, count, flop in (*control, *tried)))


def test_validation_chooses_and_test_judges() -> None:
    validation, better, worse = shelf("v", 90, 60), shelf("a", 130, 399), shelf("b", 10, 399)
    (kept,) = verdicts.verdicts(validation, [better])
    assert kept.by["FLOP"].setting == kept.by["ms"].setting == "smc 10/40"
    assert kept.by["FLOP"].validation.difference == pytest.approx((90 - 70) / 400)
    assert kept.by["FLOP"].tests["a"].difference == pytest.approx((130 - 70) / 400)
    assert kept.kept
    assert not verdicts.verdicts(validation, [worse])[0].kept
    assert not verdicts.verdicts(validation, [better, worse])[0].kept


@pytest.mark.parametrize(
    ("tests", "kept"),
    [([UP, LEVEL], True), ([UP, UP], True), ([LEVEL, LEVEL], False), ([UP, DOWN], False), ([DOWN, DOWN], False)],
)
def test_kept_is_surely_better_somewhere_and_surely_worse_nowhere(tests: list[Interval], kept: bool) -> None:
    assert Judgement("x", LEVEL, dict(zip("ab", tests, strict=True))).kept == kept


def test_a_strategy_that_a_test_subject_lacks_is_not_judged() -> None:
    guided = made_shelf("a", *shelf("a", 1, 1).of("guided"))
    assert not verdicts.verdicts(shelf("v", 90, 60), [guided])


def test_the_default_tier_stands_on_the_frontier_until_something_cheaper_is_surely_better() -> None:
    tier = made_measured("guided k50", hits(100), 300)
    near, far = made_measured("smc 10/40", hits(101), 200), made_measured("smc 50/200", hits(150), 300)
    dear = made_measured("smc k50", hits(300), 301)
    assert verdicts.standing(made_shelf("a", tier, near, dear), "FLOP").beaten_by == ()
    assert verdicts.standing(made_shelf("a", tier, near, far, dear), "FLOP").beaten_by == ("smc 50/200",)


def test_the_frontier_climbs() -> None:
    found = verdicts.frontier(shelf("a", 130, 120), "FLOP")
    assert [one.setting.name for one in found] == ["guided 10/40", "smc 10/40"]


def test_seeds_are_averaged_user_by_user() -> None:
    shelves = [shelf("b", 100, 0), shelf("b1", 140, 0)]
    found = seeds.headline(shelves, "smc", "smc 10/40", "FLOP")
    assert [pair.difference for pair in found.alone] == pytest.approx([30 / 400, 70 / 400])
    assert found.together.difference == pytest.approx(np.mean([pair.difference for pair in found.alone]))
    with pytest.raises(ResultsError, match="not measured"):
        seeds.headline(shelves, "smc", "smc 1/1", "FLOP")


def test_seeds_of_other_users_do_not_pair() -> None:
    other = made_shelf("b1", *(made_measured(x, hits(5, 30), 100) for x in ("guided 10/40", "smc 10/40")))
    with pytest.raises(ResultsError, match="same users"):
        seeds.headline([shelf("b", 100, 0), other], "smc", "smc 10/40", "FLOP")
