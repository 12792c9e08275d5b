"""What a bucket changes, what the caller's own choice leaves of it, and what an operator freezes."""

from collections.abc import Iterator
from typing import Any

import pytest
from fake_service import asked, made_model, opened
from made import made_catalogue

from service.budget.ladder import AUTO, EXACT
from service.errors import UnknownTierError
from service.experiments.assignment import Assigned, Assignments
from service.experiments.config import Overrides
from service.recommender import Answer, Ask
from service.runtime import Runtime

CATALOGUE = made_catalogue()
HISTORY = tuple(CATALOGUE.ids[:7])


@pytest.fixture(scope="module")
def runtime() -> Iterator[Runtime]:
    with opened(made_model(CATALOGUE)) as runtime:
        yield runtime


@pytest.fixture
def frozen(runtime: Runtime) -> Iterator[Runtime]:
    yield runtime
    runtime.bundles.get().controller.freeze(None)


def bucket(**overrides: Any) -> Assignments:
    one = Assigned("an experiment", "a bucket", "hash", Overrides(**overrides))
    return Assignments((one,), one, one.overrides)


def terms(answer: Answer) -> tuple[str, str, str]:
    return answer.choice.requested, answer.choice.tier, answer.choice.reason


def test_a_bucket_sets_the_tier_the_caller_left_open(runtime: Runtime) -> None:
    deep = bucket(tier="k20")
    assert terms(asked(runtime, Ask(HISTORY), bucket=deep)) == ("k20", "k20", "bucket")
    assert terms(asked(runtime, Ask(HISTORY, budget="k10", budget_given=True), bucket=deep))[1:] == ("k10", "requested")
    assert asked(runtime, Ask(HISTORY, budget=AUTO, budget_given=True), bucket=deep).choice.requested == AUTO


def test_bounds_move_what_auto_decides(runtime: Runtime) -> None:
    answer = asked(runtime, Ask(HISTORY), bucket=bucket(lowest="k100", highest="k100"))
    assert terms(answer) == (AUTO, "k100", "bounds")


def test_a_bucket_sets_strategy_and_rule(runtime: Runtime) -> None:
    plain = asked(runtime, Ask(HISTORY), bucket=bucket(strategy="beam"))
    assert {scored.reward for scored in plain.items} == {None}
    guided = asked(runtime, Ask(HISTORY, strategy="guided"), bucket=bucket(strategy="beam"))
    assert None not in {scored.reward for scored in guided.items}
    ruled = asked(runtime, Ask(HISTORY, budget="k50", budget_given=True), bucket=bucket(rule=(2.0, 1.0)))
    for scored in ruled.items:
        assert scored.reward is not None
        assert scored.log_prob is not None
        assert scored.score == pytest.approx(scored.reward + 2 * scored.log_prob, abs=1e-5)


def test_a_tier_that_a_reload_took_away_is_not_an_error(runtime: Runtime) -> None:
    assert asked(runtime, Ask(HISTORY), bucket=bucket(tier="k9")).choice.requested == AUTO


def test_a_plain_beam_of_the_callers_sets_a_scan_aside_that_nobody_asked_for(frozen: Runtime) -> None:
    beam = Ask(HISTORY, strategy="beam")
    assert asked(frozen, beam, bucket=bucket(tier=EXACT)).source == "search"
    frozen.bundles.get().controller.freeze(EXACT)
    assert asked(frozen, beam).source == "search"
    with pytest.raises(UnknownTierError):
        asked(frozen, Ask(HISTORY, strategy="beam", budget=EXACT, budget_given=True))


def test_a_frozen_budget_holds_for_auto_alone(frozen: Runtime) -> None:
    controller = frozen.bundles.get().controller
    for tier in ("floor", EXACT):
        controller.freeze(tier)
        assert terms(asked(frozen, Ask(HISTORY))) == (AUTO, tier, "frozen")
        assert asked(frozen, Ask(HISTORY, budget="k10", budget_given=True)).choice.tier == "k10"


def test_the_callers_scan_stays_a_scan_in_a_bucket_of_plain_beams(runtime: Runtime) -> None:
    scan = Ask(HISTORY, budget=EXACT, budget_given=True)
    assert asked(runtime, scan, bucket=bucket(strategy="beam")).source == "exact"


def test_bounds_leave_an_auto_alone_that_the_caller_asked_for(runtime: Runtime) -> None:
    given = Ask(HISTORY, budget=AUTO, budget_given=True)
    assert asked(runtime, given, bucket=bucket(highest="floor")).choice.reason != "bounds"
    assert asked(runtime, Ask(HISTORY), bucket=bucket(highest="floor")).choice.tier == "floor"
