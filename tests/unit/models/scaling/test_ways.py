"""Groups of ways: what is swept, and that it is what its name says."""

from hypothesis import given
from hypothesis import strategies as st

from models.scaling import ways
from models.scaling.ways import BASE, CAP, DEFAULT, EXACT, KEEPS, groups

NAMES = ("beams", "depths", "peers", *(f"k{k_keep}" for k_keep in KEEPS), *(f"level-{n}" for n in range(1, 5)))


@given(depth=st.integers(2, 4), items=st.integers(60, 20_000))
def test_names_are_unique_and_widths_make_sense(depth: int, items: int) -> None:
    for found in groups(NAMES, depth, items, ((10, 20),) * depth).values():
        assert len({way.name for way in found}) == len(found)
        for way in found:
            assert len(way.levels) in (0, depth)
            assert all(1 <= keep <= plus <= max(CAP, BASE[1]) for keep, plus in way.levels)
            assert set(way.depths) <= set(range(depth))


def test_a_row_of_widths_grows_to_the_cap_or_the_catalogue() -> None:
    pluses = [way.levels[0][1] for way in ways.widening(200)(3, 12_101)]
    assert pluses == [200, 400, 800, 1200, 1600, 3200]
    assert [way.levels[0][1] for way in ways.widening(50)(3, 90)] == [50, 90]


def test_the_prm_at_every_set_of_depths() -> None:
    found = ways.some_depths(3)
    assert [way.depths for way in found] == [(), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2), ()]
    assert [way.name for way in found][3:5] == ["guided 50/200 at 3", "guided 50/200 at 1+2"]
    assert found[-1].levels == ()


def test_one_depth_alone_changes() -> None:
    for level in range(3):
        for way in ways.one_depth(level)(3, 12_101):
            assert [pair for number, pair in enumerate(way.levels) if number != level] == [BASE] * 2
            assert way.levels[level][0] == BASE[0]


def test_peers_are_the_default_tier_and_the_scan() -> None:
    (peers,) = groups(("peers", "level-9"), 2, 90, ((5, 9), (7, 9))).values()
    assert [way.name for way in peers] == [DEFAULT, EXACT]
    assert peers[0].depths == (0, 1)
    assert [way.name for way in groups(("peers",), 2, 90)["peers"]] == [EXACT]
