"""Claims on made results whose answers are known."""

from collections.abc import Sequence

import numpy as np
import pytest

from models.manifest import Dims
from models.metrics import Bool
from models.results import Paths, Result, ResultsError
from models.scaling import claims, tables
from models.scaling.facts import Facts
from models.scaling.flops import Sizes, parameters
from models.scaling.sweep import Swept
from models.scaling.ways import groups

USERS = 400
DIMS = {"heads": 2, "head_width": 8, "encoder_layers": 1, "decoder_layers": 1, "feed_forward": 32, "history": 8}


def result(name: str, hits: int, kept: int | None = None) -> Result:
    """The first `hits` users have their item first; the first `kept` kept their leaf."""
    rank = (np.arange(USERS) < hits).astype(np.int32)
    paths = None if kept is None else Paths(*(three(kept) for _ in range(3)))
    return Result(name, np.ones(USERS, np.int32), rank, rank, 10, 10, 10, paths, np.full(4, hits, np.float32))


def three(kept: int) -> Bool:
    return np.repeat((np.arange(USERS) < kept)[:, None], 3, 1)


def swept(name: str, width: int, hits: dict[str, Sequence[int]]) -> Swept:
    """Hits of every way of these groups, in order."""
    sizes = Sizes(Dims(width=width, **DIMS), 16, 4000, (16, 200, 4000), (16, 16, 30))
    ways = groups(tuple(hits), 3, 4000, ((50, 200),) * 3)
    measured = {
        group: {
            way.name: result(way.name, count, count if way.levels else None)
            for way, count in zip(ways[group], counts, strict=True)
        }
        for group, counts in hits.items()
    }
    return Swept(name, Facts("made@1", "B", 1, 0, {}, sizes, (0, 0, 0, 5), ((50, 200),) * 3), ways, measured)


def test_a_small_one_that_wins_is_shown_at_widths_chosen_before() -> None:
    small = swept("small", 16, {"k10": [10, 80, 120, 130, 140, 150, 160], "k50": [90, 95, 100, 110, 120, 130, 140]})
    large = swept("large", 64, {"beams": [40, 50, 50, 45, 45, 45, 45, 45]})
    found = claims.bigger(small, large)
    assert (found.way.name, found.beam.name) == ("guided 50/200", "beam20")
    assert found.gain.difference == pytest.approx(50 / USERS)
    assert found.cheapest is not None
    assert found.cheapest.name == "guided 10/20"
    assert found.flop < found.large_flop
    assert found.times == pytest.approx(found.large_parameters / parameters(small.facts.sizes).generator)
    assert "beats it: guided 10/20" in tables.bigger_sentence(found)


def test_a_small_one_that_loses_is_said_to() -> None:
    small, large = swept("small", 16, {"k50": [1, 2, 3, 9, 5, 6, 7]}), swept("large", 64, {"beams": [100] * 8})
    found = claims.bigger(small, large)
    assert found.gain.high < 0
    assert found.cheapest is None
    assert "No search beats it." in tables.bigger_sentence(found)


def test_wider_is_told_as_a_ratio() -> None:
    found = claims.wider(swept("x", 16, {"k10": [50, 60, 70, 100, 100, 100, 100]}), 10, 6)
    assert found.hrecall == (50 / USERS, 100 / USERS)
    assert found.ndcg_ratio.ratio == pytest.approx(2.0)
    assert found.ndcg_ratio.low < 2 < found.ndcg_ratio.high
    assert "+100.0 %" in tables.wider_sentence("x", found)
    with pytest.raises(ResultsError, match="10/70"):
        claims.wider(swept("x", 16, {"k10": [1] * 7}), 10, 7)


def test_depths_are_compared_with_the_leaf_and_split_by_the_scan() -> None:
    rows = claims.depths(swept("x", 16, {"depths": [10, 10, 20, 40, 20, 40, 60, 70, 100]}))
    assert [row.way.depths for row in rows if row.against_leaf is None] == [(2,)]
    every = rows[-1]
    assert (every.search, every.model, every.luck) == (30 / USERS, 1 - 100 / USERS, 0)
    assert every.against_leaf is not None
    assert every.against_leaf.difference == pytest.approx(30 / USERS)
    assert not claims.depths(swept("x", 16, {}))


def test_a_tier_is_served_against_the_scan() -> None:
    found = claims.served(swept("x", 16, {"peers": [50, 100]}))
    assert found["ndcg@10"].ratio == pytest.approx(0.5)
    assert found["ms"].ratio == pytest.approx(2.0)
    assert not claims.served(swept("x", 16, {}))
    assert not tables.served_sentence(swept("x", 16, {}))


def test_other_users_are_no_pair() -> None:
    small, large = swept("small", 16, {"k10": [1] * 7}), swept("large", 64, {"beams": [1] * 8})
    for one in small.results["k10"].values():
        one.target[0] = 2
    with pytest.raises(ResultsError, match="same users"):
        claims.bigger(small, large)


def test_the_narrowest_width_that_is_as_good() -> None:
    by_plus = {plus: result(str(plus), hits) for plus, hits in ((50, 10), (100, 99), (200, 100), (400, 90))}
    assert tables.enough(by_plus, 200) == 100
