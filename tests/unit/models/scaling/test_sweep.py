"""Sweeping a bundle: measured once, kept, read back, judged from what is kept alone."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_corrected import corrected_bundle, made_correction
from made_sweep import DEFAULT, GROUPS, SAMPLE, dataset, made_bundle, made_sweep

from models.data import DataError
from models.evaluation.sweeping import Sweeper
from models.judging import held_out
from models.results import ResultsError
from models.scaling import claims, facts, pages, study, sweep, tables
from models.scaling.sweep import Subject, Swept
from models.scaling.ways import EXACT


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_bundle(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module")
def swept(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Swept:
    return made_sweep(bundle, tmp_path_factory.mktemp("swept"))


def test_every_way_has_a_result_for_the_same_users(swept: Swept) -> None:
    assert set(swept.results) == set(GROUPS)
    for group in GROUPS:
        pairs = swept.of(group)
        assert [way.name for way, _ in pairs] == [way.name for way in swept.ways[group]]
        assert {result.users for _, result in pairs} == {SAMPLE.of(group)}
        assert all(result.ms.shape == (2,) and (result.ms > 0).all() for _, result in pairs)


def test_a_plan_as_wide_as_the_catalogue_keeps_what_the_scan_lists(swept: Swept, bundle: Path) -> None:
    cases = held_out(dataset(), "B", SAMPLE.users)
    all_of_it = ((90, 90),) * 3
    ways = [replace(swept.ways["peers"][0], name="all", levels=all_of_it), swept.ways["peers"][1]]
    kept = Sweeper(bundle).kept(ways, cases.histories, cases.targets)
    assert np.array_equal(kept["all"], np.ones(SAMPLE.users))
    assert swept.kept["default tier"].shape == (SAMPLE.users,)
    assert 0 < swept.kept["default tier"].mean() < 1


def test_what_is_kept_is_not_measured_again(
    swept: Swept, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "results"
    made_sweep(bundle, folder, groups=("peers",))
    monkeypatch.setattr(Sweeper, "judge", None)
    again = made_sweep(bundle, folder, groups=("peers",))
    assert np.array_equal(again.results["peers"][EXACT].rank, swept.results["peers"][EXACT].rank)
    assert not again.of("k10")


def test_it_is_read_back_when_the_bundle_is_gone(swept: Swept, bundle: Path, tmp_path: Path) -> None:
    made_sweep(bundle, tmp_path / "results", groups=("peers",))
    gone = made_sweep(tmp_path / "nothing", tmp_path / "results", groups=("peers",))
    assert gone.facts == swept.facts
    assert gone.facts.default == DEFAULT
    assert [gone.facts.flop(way) for way, _ in gone.of("peers")] == [swept.facts.flop(w) for w in swept.ways["peers"]]


def test_another_bundle_or_other_data_is_refused(bundle: Path, tmp_path: Path) -> None:
    made_sweep(bundle, tmp_path / "results", groups=("peers",))
    kept = tmp_path / "results" / facts.FILE
    encoder = facts.load(kept.parent).files["encoder.onnx"]
    kept.write_text(kept.read_text().replace(encoder, "0" * 64))
    with pytest.raises(ResultsError, match="another bundle"):
        made_sweep(bundle, tmp_path / "results", groups=("peers",))
    strange = replace(dataset(), digest="other")
    with pytest.raises(DataError, match="other data"):
        sweep.sweep(Subject("x", bundle, ("peers",)), lambda _: strange, tmp_path / "new", SAMPLE, lambda _: None)


def test_a_correction_that_comes_later_is_measured_alone(bundle: Path, tmp_path: Path) -> None:
    groups, folder = ("peers", "corrected"), tmp_path / "results"
    before = made_sweep(bundle, folder, groups=groups)
    assert not before.of("corrected")
    kept = SAMPLE.file(folder, "peers").stat().st_mtime_ns
    later = corrected_bundle(bundle, tmp_path / "corrected", made_correction(90))
    after = made_sweep(later, folder, groups=groups)
    assert SAMPLE.file(folder, "peers").stat().st_mtime_ns == kept
    pairs = dict(zip(("tier", "scan", "base"), after.of("corrected"), strict=True))
    assert [way.name for way, _ in pairs.values()] == [
        "corrected default tier",
        "corrected exact",
        "corrected guided 50/200",
    ]
    plain = {way.name: result for way, result in after.of("peers")}
    assert not np.array_equal(pairs["scan"][1].rank, plain[EXACT].rank)
    assert after.facts.flop(pairs["scan"][0]) > after.facts.flop(after.of("peers")[1][0])
    other = corrected_bundle(bundle, tmp_path / "other", made_correction(90, seed=1))
    again = made_sweep(other, folder, groups=groups)
    assert not np.array_equal(again.results["corrected"]["corrected exact"].rank, pairs["scan"][1].rank)


def test_another_default_tier_is_measured_anew(bundle: Path, tmp_path: Path) -> None:
    narrow = made_sweep(bundle, tmp_path, groups=("peers",))
    widths = ((2, 2), (10, 12), (10, 15))
    other = sweep.sweep(Subject("x", bundle, ("peers",), widths), lambda _: dataset(), tmp_path, SAMPLE, lambda _: None)
    assert other.facts.default == other.of("peers")[0][0].levels == widths
    before, after = (swept.results["peers"]["default tier"].paths for swept in (narrow, other))
    assert before is not None
    assert after is not None
    assert not np.array_equal(before.kept, after.kept)


def test_facts_that_are_missing_or_damaged_are_told(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="not the facts"):
        facts.load(tmp_path)
    (tmp_path / facts.FILE).write_text("{}")
    with pytest.raises(ResultsError, match="not the facts"):
        facts.load(tmp_path)


def test_the_report_shows_all_and_says_what_is_missing(swept: Swept, bundle: Path, tmp_path: Path) -> None:
    found = study.study(
        [
            Subject("small", bundle, ("peers", "k10"), DEFAULT),
            Subject("middle", bundle, GROUPS, DEFAULT),
            Subject("sports", tmp_path / "none", ("k10",)),
        ],
        tmp_path,
        lambda _: dataset(),
        lambda _: SAMPLE,
        lambda _: None,
    )
    assert found.missing == [f"sports: no bundle at {tmp_path / 'none'}, so it is left out."]
    text = pages.page(found)
    for expected in ("| small |", "PRM at some depths", "K+ of one depth", "default tier against the exact scan"):
        assert expected in text
    assert {file.name for file in pages.plots(found, tmp_path / "plots")} == {
        "scaling-sizes.svg",
        "scaling-widths.svg",
    }
    told = pages.as_json(found)
    assert json.loads(json.dumps(told))["bundles"]["middle"]["ways"]["peers"][1]["way"] == EXACT
    assert len(tables.depth_rows([swept])[1]) == len(claims.depths(swept)) == 8
