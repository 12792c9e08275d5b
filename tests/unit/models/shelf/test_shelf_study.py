"""Measuring small bundles: kept, read back, measured anew where bundle, users or strategy changed; pages and charts."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_shelf import dataset, made_bundle

from models.data import DataError
from models.evaluation import shelved
from models.evaluation.ranking import Method
from models.evaluation.sweeping import Sweeper
from models.results import ResultsError
from models.shelf import pages
from models.shelf import report as whole
from models.shelf.report import Report, Sample
from models.shelf.settings import GUIDED, Setting
from models.shelf.study import Bench, Shelf, Subject

SAMPLE, STRATEGIES = Sample(judging=40, choosing=30, timed=2), ("beam", "refine")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("bundles")
    for setting in ("A", "B"):
        made_bundle(made / setting, setting)
    return made


@pytest.fixture(scope="module")
def report(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Report:
    return made_report(folder, tmp_path_factory.mktemp("kept"))


def made_report(folder: Path, kept: Path, b: str = "B") -> Report:
    wanted = whole.subjects(folder / "A", folder / b, [folder / "B"], folder / "B", SAMPLE, STRATEGIES)
    return whole.report(*wanted, lambda _: dataset(), kept, lambda _: None)


def measure(bundle: Path, kept: Path, subject: Subject | None = None, strategy: str = "beam") -> Shelf:
    subject = subject or Subject("x", bundle, users=20, timed=1, strategies=(strategy,))
    return Bench(subject, lambda _: dataset(), kept, lambda _: None).run()


def written(kept: Path) -> dict[str, int]:
    return {file.name: file.stat().st_mtime_ns for file in (kept / "x").glob("*.json")}


def test_every_setting_has_a_result_its_work_and_its_times(report: Report) -> None:
    for shelf in (report.validation, *report.tests):
        assert set(shelf.measured) == {GUIDED, *STRATEGIES}
        for strategy, family in shelf.families.items():
            found = shelf.of(strategy)
            assert [one.setting for one in found] == list(family.settings)
            assert all(one.flop > 0 and one.ms > 0 and one.result.ms.shape == (2,) for one in found)
    assert [test.of(GUIDED)[0].result.users for test in (report.validation, *report.tests)] == [30, 40, 40]


def test_what_is_kept_is_not_measured_again(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = measure(folder / "B", tmp_path)
    monkeypatch.setattr(Sweeper, "rank", None)
    monkeypatch.setattr(Sweeper, "timings", None)
    again = measure(folder / "B", tmp_path)
    for one, other in zip(first.of("beam"), again.of("beam"), strict=True):
        assert np.array_equal(one.result.rank, other.result.rank)
        assert np.array_equal(one.result.ms, other.result.ms)
        assert one.spent == other.spent


def test_another_bundle_or_other_users_are_measured_anew(folder: Path, tmp_path: Path) -> None:
    subject = Subject("x", folder / "B", users=20, timed=1, strategies=("beam",))
    for change in (replace(subject, bundle=folder / "A"), replace(subject, users=21)):
        measure(folder / "B", tmp_path, subject)
        before = written(tmp_path)
        measure(folder / "B", tmp_path, change)
        assert all(time > before[name] for name, time in written(tmp_path).items())


def test_a_strategy_that_changes_is_measured_anew_alone(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure(folder / "B", tmp_path)
    before, definition = written(tmp_path), shelved.definition

    def changed(found: Method) -> str:
        return definition(found) + ("!" if found.name.startswith("beam") else "")

    monkeypatch.setattr("models.shelf.study.definition", changed)
    measure(folder / "B", tmp_path)
    anew = {name for name, time in written(tmp_path).items() if time != before[name]}
    assert anew == {name for name in before if name.startswith("beam")}


def test_definitions_follow_parameters_and_code_and_not_layout(folder: Path, tmp_path: Path) -> None:
    manifest = Sweeper(folder / "B").manifest
    made = [Setting("relaxed", "k", ((10, 40),) * 3, (("slope", slope),)) for slope in (0.5, 0.5, 0.6)]
    same, again, other = (shelved.definition(shelved.method(each, manifest)) for each in made)
    assert same == again != other
    files = {"one.py": '"""Says so."""\nx = 1\n', "two.py": "# a comment\nx  =  1\n", "three.py": "x = 2\n"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    one, two, three = (shelved._code(tmp_path / name) for name in files)
    assert one == two != three


def test_damaged_measurements_are_measured_again(folder: Path, tmp_path: Path) -> None:
    whole_one = measure(folder / "B", tmp_path)
    for file in (tmp_path / "x").glob("beam*"):
        file.write_bytes(b"{}")
    (tmp_path / "x" / "times.npz").write_bytes(b"no archive")
    again = measure(folder / "B", tmp_path)
    for one, other in zip(whole_one.of("beam"), again.of("beam"), strict=True):
        assert np.array_equal(one.result.rank, other.result.rank)


def test_validation_users_are_those_of_setting_a(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="only setting A"):
        measure(folder / "B", tmp_path, Subject("x", folder / "B", "validation"))


def test_strategies_that_vote_need_a_bundle_with_votes(folder: Path, tmp_path: Path) -> None:
    found = measure(folder / "B", tmp_path, strategy="interest")
    assert (set(found.measured), found.mute) == ({GUIDED}, ("interest",))


def test_pages_tell_verdicts_seeds_settings_and_where_the_default_stands(report: Report) -> None:
    text = pages.page(report)
    for expected in (
        "Verdicts",
        "| refine |",
        "Seeds",
        "Every setting, a:",
        "Every setting, b:",
        "frontier of all by ms",
    ):
        assert expected in text
    assert len(report.headlines) == 2
    assert all(len(found.alone) == 2 for found in report.headlines)
    told = json.loads(json.dumps(pages.as_json(report)))
    assert {verdict["strategy"] for verdict in told["verdicts"]} == set(STRATEGIES)
    every = sum(len(family.settings) for family in report.validation.families.values())
    assert [len(settings) for settings in told["settings"].values()] == [every, every]


def test_charts_are_drawn_and_the_same_each_time(report: Report, tmp_path: Path) -> None:
    files = pages.plots(report, tmp_path / "one")
    assert [file.name for file in files] == ["strategies-a.svg", "strategies-b.svg"]
    again = pages.plots(report, tmp_path / "two")
    assert [file.read_bytes() for file in files] == [file.read_bytes() for file in again]


def test_bundles_that_are_missing_are_told(folder: Path, tmp_path: Path) -> None:
    found = made_report(folder, tmp_path, b="none")
    assert [test.subject.name for test in found.tests] == ["a"]
    assert any(f"no bundle at {folder / 'none'}" in line for line in found.missing)
    wanted = whole.subjects(folder / "none", folder / "B", [], folder / "B", SAMPLE, STRATEGIES)
    with pytest.raises(ResultsError, match="no bundle"):
        whole.report(*wanted, lambda _: dataset(), tmp_path, lambda _: None)
