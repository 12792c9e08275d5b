"""Tables over seeds: averaged per user before anybody is resampled."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models import report, seeds_report
from models.metrics import F64, paired_bootstrap
from models.results import Result, ResultsError
from models.seeds import About, Seed, load, save

USERS = 300
ABOUT = About("made@1", "beauty", "B", 0, False, "50/50, 50/200", "everybody", {}, "x")
METHODS = {"beam50": 0.1, "k50": 0.3, "exact": 0.3}


def result(method: str, seed: int, hits: float) -> Result:
    """A share `hits` of the users has the target among the first ten."""
    rng = np.random.default_rng([seed, len(method)])
    rank = np.where(rng.random(USERS) < hits, rng.integers(1, 11, USERS), 0).astype(np.int32)
    return Result(method, np.arange(1, USERS + 1, dtype=np.int32), rank, rank, 50, 0, 0, None, np.zeros(0, np.float32))


def made(seed: int, *, shuffled: bool = False, lost: float = 0.0) -> Seed:
    results = [result(name, seed, hits - lost) for name, hits in METHODS.items()]
    return Seed(replace(ABOUT, seed=seed, shuffled=shuffled), results)


@pytest.fixture
def three() -> list[Seed]:
    return [made(seed) for seed in (1, 2, 3)]


def test_users_are_averaged_over_seeds_before_they_are_resampled(three: list[Seed]) -> None:
    def mean(place: int) -> F64:
        found: F64 = np.mean([seed.results[place].per_user("ndcg", 10) for seed in three], axis=0)
        return found

    assert seeds_report.difference(three, "k50", "beam50", "ndcg") == paired_bootstrap(mean(1), mean(0), seed=0)


def test_more_seeds_narrow_the_interval(three: list[Seed]) -> None:
    """Luck of a training is averaged away, as long as users are independent of it."""
    one, all_three = (seeds_report.difference(seeds, "k50", "exact", "recall") for seeds in (three[:1], three))
    assert 0 < all_three.high - all_three.low < 0.75 * (one.high - one.low)


def test_the_table_of_differences_reads_from_the_default_tier(three: list[Seed]) -> None:
    head, cells = seeds_report.difference_rows(three)
    assert [row[0] for row in cells] == ["beam50", "exact"]
    row = dict(zip(head, cells[0], strict=True))
    ahead = seeds_report.difference(three, "k50", "beam50", "recall")
    assert ahead.low > 0
    assert row["ΔR@10 [95 % CI]"] == report.interval(ahead)
    single = [float(part.replace("−", "-")) for part in row["ΔN@10 by seed"].split(", ")]
    wanted = [seed.results[1].ndcg(10) - seed.results[0].ndcg(10) for seed in three]
    assert single == pytest.approx(wanted, abs=6e-5)
    with pytest.raises(ResultsError, match="was not judged by 'k100'"):
        seeds_report.difference_rows(three, "k100")


def test_the_order_of_the_file_is_set_beside_shuffled_days(three: list[Seed]) -> None:
    shuffled = [made(seed, shuffled=True, lost=0.08) for seed in (1, 2)]
    head, cells = seeds_report.order_rows(shuffled, three)
    assert len({len(head), *map(len, cells)}) == 1
    exact = next(row for row in cells if row[0] == "exact")
    figures = [np.mean([seed.results[2].recall(10) for seed in seeds]) for seeds in (shuffled, three)]
    assert [float(cell) for cell in exact[1:3]] == pytest.approx(figures, abs=6e-5)
    assert float(exact[3].split()[0]) == pytest.approx(figures[1] - figures[0], abs=6e-5)
    strangers: list[tuple[Sequence[Seed], Sequence[Seed]]] = [
        (three, shuffled),
        (three, three),
        (shuffled, [replace(three[0], about=replace(three[0].about, people="others"))]),
    ]
    for one, other in strangers:
        with pytest.raises(ResultsError, match="all else being equal"):
            seeds_report.order_rows(one, other)


def test_the_page_says_what_it_is_of_and_survives_its_files(three: list[Seed], tmp_path: Path) -> None:
    for seed in three:
        save(seed, tmp_path)
    page = seeds_report.page(load(tmp_path))
    assert page == seeds_report.page(three)
    assert f"{USERS} users of beauty, setting B, seeds 1, 2, 3, items of one day as in the file" in page
    assert "K'/K+ by depth 50/50, 50/200)" in page
    assert page.count("| --- |") == 2
    shuffled = [made(seed, shuffled=True) for seed in (1, 2)]
    assert "shuffled with each seed" in seeds_report.page(shuffled, three)
    assert seeds_report.page(shuffled, three).count("| --- |") == 3
    assert seeds_report.section(three) == "final-beauty-B"
    assert seeds_report.section(shuffled) == "final-beauty-B-shuffled"
