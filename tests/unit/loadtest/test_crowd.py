"""The crowd: returning users are few and frequent, strangers are new, clicks follow rank and taste; waves of users."""

from pathlib import Path

import numpy as np
import pytest
from made_users import made_items, write

from loadtest import workload
from loadtest.crowd import FITTING, ZIPF, Crowd, Taste
from loadtest.waves import WAVES, users_in, wave_at
from loadtest.workload import Items, Near


def related(items: Items) -> Items:
    """Item n was taken near n + 1 and, twice as often, near n + 2."""
    count = len(items.ids)
    near = (np.arange(count)[:, None] + [1, 2, 0]) % count
    near[:, 2] = -1
    often = np.tile(np.array([1, 2, 0], np.float32), (count, 1))
    return Items(items.ids, items.popularity, items.category, items.samples, Near(near.astype(np.int32), often))


@pytest.fixture
def crowd(tmp_path: Path) -> Crowd:
    write(made_items(), tmp_path)
    return Crowd(tmp_path, users=50)


def test_the_first_users_come_most_often(crowd: Crowd) -> None:
    counts = np.bincount([crowd.returning() for _ in range(20_000)], minlength=50)
    assert counts[0] / counts[9] == pytest.approx(10**ZIPF, rel=0.3)
    assert counts.min() > 0


def test_strangers_are_new(crowd: Crowd) -> None:
    met = {crowd.history(user) for user in range(50)}
    strangers = [crowd.stranger() for _ in range(200)]
    assert len(set(strangers) - met) > 190
    assert min(map(len, strangers)) == 3


def test_a_bought_item_is_the_newest_of_the_history(crowd: Crowd) -> None:
    first, *rest = crowd.history(7)
    crowd.bought(7, first)
    assert crowd.history(7) == (*rest, first)
    crowd.bought(7, "new")
    assert crowd.history(7) == (*rest, first, "new")


def test_taste_is_co_occurrence_else_category() -> None:
    items = made_items()
    first, second, third = items.ids[:3].tolist()
    near = Taste(related(items))
    assert near.fits(second, [first])
    assert not near.fits(first, [second])
    assert not near.fits("unknown", [first])
    assert not near.fits(first, ["unknown"])
    alone = Taste(items)
    assert alone.fits(third, [second]) == (items.category[2] == items.category[1])
    assert alone.fits(third, [third])


def test_clicks_follow_rank_and_taste() -> None:
    items = related(made_items())
    taste, rng = Taste(items), np.random.default_rng(0)
    history, fitting, other = items.ids[0], items.ids[1:3].tolist(), items.ids[100:108].tolist()

    def clicks(shown: list[str]) -> int:
        return sum(taste.clicked(shown, [history], rng) in fitting for _ in range(3000))

    first, last, none = clicks([*fitting, *other]), clicks([*other, *fitting]), clicks(other)
    assert first > 1.5 * last > 0
    assert none == 0
    assert first / 3000 == pytest.approx(FITTING + (1 - FITTING) * FITTING / np.log2(3), rel=0.1)
    assert taste.clicked([], [history], rng) is None


def test_histories_hold_what_was_taken_near() -> None:
    """With relations, a swapped item gives way to a near one half of the time, the nearer one twice as often."""
    items = related(made_items())
    drawer = workload.Drawer(items, np.random.default_rng(0))
    found = np.bincount([drawer.beside(10) for _ in range(4000)], minlength=len(items.ids))
    assert found[11] + found[12] >= 1800
    assert found[12] / found[11] == pytest.approx(2, rel=0.2)
    assert workload.histories(items, 20, seed=1) != workload.histories(made_items(), 20, seed=1)


def test_relations_are_read_beside_the_catalogue(tmp_path: Path) -> None:
    items = made_items()
    write(items, tmp_path)
    rows = np.array([[-1, -1], *[[1 + n % len(items.ids), -1] for n in range(1, len(items.ids) + 1)]], np.int32)
    np.savez(tmp_path / "relations.npz", neighbour=rows, together=np.ones_like(rows, np.float16))
    near = workload.read_items(tmp_path).near
    assert near is not None
    assert near.items[:2].tolist() == [[1, -1], [2, -1]]
    assert near.often[:2].tolist() == [[1, 0], [1, 0]]
    np.savez(tmp_path / "relations.npz", neighbour=rows[:-1], together=rows[:-1])
    assert workload.read_items(tmp_path).near is None, "relations of another catalogue"


def test_waves_rise_burst_and_end() -> None:
    seen = [wave_at(second, 10) for second in range(11)]
    assert [wave.name for wave in seen if wave] == ["plateau"] * 5 + ["burst"] * 2 + ["calm"] * 3
    assert seen[10] is None
    assert [users_in(wave, 12) for wave in WAVES] == [12, 36, 3]
    assert users_in(WAVES[-1], 1) == 1
