"""The arms that ship: named once, one change each, every expectation written down."""

import pytest

from models.recipe import named
from models.study import StudyError
from models.study.known import arms_of


@pytest.mark.parametrize("name", ["prm", "tokens"])
def test_arms_differ_from_the_first_and_from_each_other(name: str) -> None:
    arms = arms_of(name)
    assert arms[0].recipe.network == named("study").network
    assert arms[0].recipe.tokenizer == named("study").tokenizer
    assert {arm.recipe.training.epochs for arm in arms} == {arms[0].recipe.training.stop}
    assert len({arm.name for arm in arms}) == len({arm.recipe for arm in arms}) == len(arms) > 1
    assert all(arm.expected for arm in arms)
    for arm in arms:
        assert arm.recipe.name == "study"
        assert arm.recipe.training.seed == arms[0].recipe.training.seed


def test_the_two_by_two_is_judged_by_both_rules() -> None:
    fused = {(arm.recipe.training.prm_loss, arm.recipe.training.negatives) for arm in arms_of("prm") if arm.fused}
    assert {("uniform", 64), ("uniform", 512), ("generator", 64)} <= fused


def test_an_unknown_study_is_named_with_those_there_are() -> None:
    with pytest.raises(StudyError, match="prm, tokens, labels, cold, votes are known"):
        arms_of("prn")
