"""The twelve strategies, each at three settings or more, are those of the service's shelf."""

import pytest

from models.results import ResultsError
from models.shelf.settings import EVEN, GUIDED, chosen, families
from service.search.strategies.shelf import STRATEGIES, VOTING


def test_every_strategy_has_three_settings_and_an_expectation() -> None:
    found = families(3)
    assert {family.strategy for family in found} == set(STRATEGIES)
    assert all(len(family.settings) >= 3 and family.expected for family in found)
    assert {family.strategy for family in found if family.votes} == VOTING


def test_names_tell_settings_apart() -> None:
    names = [setting.name for family in families(3) for setting in family.settings]
    assert len(names) == len(set(names))
    assert "relaxed k20 slope=0.3" in names


def test_trees_of_another_depth_have_no_tuned_widths() -> None:
    for family in families(4):
        assert all(setting.base in EVEN and len(setting.levels) == 4 for setting in family.settings)


def test_the_control_comes_with_every_choice() -> None:
    assert [family.strategy for family in chosen(families(3), ["smc"])] == [GUIDED, "smc"]
    assert len(chosen(families(3), [])) == len(STRATEGIES)
    with pytest.raises(ResultsError, match="no strategy is called 'smcs'"):
        chosen(families(3), ["smcs"])
