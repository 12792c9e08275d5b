"""A bundle of shuffled days is judged on its own shuffled days; the baseline beside it saw the same ones."""

import json
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from made_runs import UNTIL, made_csv, made_recipe, made_run
from typer.testing import CliRunner

from models import judging, pipeline
from models.baseline import load_sasrec
from models.data import DataError, load, shuffle_same_day
from models.manifest import Manifest
from models.pipeline import Run
from service import cli

SEED = 3


@pytest.fixture(scope="module")
def csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_csv(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def run(csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return made_run(csv, tmp_path_factory.mktemp("run"), seed=SEED, shuffled=True)


@pytest.fixture
def manifest(run: Run) -> Manifest:
    return Manifest.model_validate_json((run.bundle("B", "inner") / "manifest.json").read_bytes())


def test_the_manifest_says_how_days_were_shuffled_and_older_ones_say_that_they_were_not(manifest: Manifest) -> None:
    assert manifest.provenance.shuffled == SEED
    older = manifest.model_dump(mode="json")
    del older["provenance"]["shuffled"]
    assert Manifest.model_validate(older).provenance.shuffled is None


def test_the_data_of_a_bundle_is_shuffled_as_in_its_training(csv: Path, run: Run, manifest: Manifest) -> None:
    data = judging.data_of(manifest, str(csv), Path())
    assert data.digest == run.dataset.digest != load(str(csv)).digest
    assert data.shuffled == SEED
    in_file_order = manifest.provenance.model_copy(update={"shuffled": None})
    plain = judging.data_of(manifest.model_copy(update={"provenance": in_file_order}), str(csv), Path())
    assert plain.digest == load(str(csv)).digest


def test_every_target_judged_was_held_out_of_the_training(csv: Path, run: Run) -> None:
    found = judging.judge([run.bundle("B", "inner")], str(csv), Path(), run.folder, only=["beam50"])
    assert [result.method for result in found] == ["beam50", "SASRec-CE", "popularity"]
    held_out = run.split("B").test.targets
    in_file_order = load(str(csv)).split("B").test.targets
    for result in found:
        assert np.array_equal(result.target, held_out)
        assert not np.array_equal(result.target, in_file_order)


def test_the_audit_refuses_the_order_of_the_file_and_another_shuffle(csv: Path, run: Run, manifest: Manifest) -> None:
    counts = np.zeros(len(run.dataset.items.ids), np.int32)
    for other in (load(str(csv)), shuffle_same_day(load(str(csv)), SEED + 1)):
        with pytest.raises(DataError, match="other data"):
            judging.audit(manifest, run.dataset.items.ids, counts, other)
    done = CliRunner().invoke(cli.app, ["audit", str(run.bundle("B", "inner")), "--dataset", str(csv)])
    assert done.exit_code == 0, done.output
    assert "no others" in done.output


def test_a_baseline_of_setting_b_alone_is_taken_where_its_epochs_were_told(run: Run, manifest: Manifest) -> None:
    assert not (run.folder / "sasrec-A").exists()
    model, history = load_sasrec(run.folder, manifest, run.dataset)
    assert not model.training
    assert history == manifest.dims.history


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"until": UNTIL + 1}, "not finished"),
        ({"until": None}, "sasrec-A: no trained baseline"),
        ({"data": "of another shuffle"}, "other data"),
        ({"setting": "A"}, "other data"),
    ],
)
def test_a_baseline_that_does_not_fit_is_refused(
    run: Run, manifest: Manifest, change: dict[str, object], sentence: str
) -> None:
    note = run.folder / "sasrec-B" / "made-of.json"
    before = note.read_text("utf-8")
    note.write_text(json.dumps(json.loads(before) | change), "utf-8")
    try:
        with pytest.raises(DataError, match=sentence):
            load_sasrec(run.folder, manifest, run.dataset)
    finally:
        note.write_text(before, "utf-8")


def test_a_baseline_without_a_note_ran_for_as_long_as_its_setting_a_chose(
    csv: Path, manifest: Manifest, tmp_path: Path
) -> None:
    """The bundle may stop earlier than its baseline; a choice that is not finished counts for nothing."""
    data, recipe = load(str(csv)), made_recipe().with_training(epochs=2)
    pipeline.build_baseline(Run(data, recipe, tmp_path, "1", lambda _: None))
    for note in tmp_path.glob("*/made-of.json"):
        note.unlink()
    file = tmp_path / "sasrec-A" / "last.pt"
    whole = torch.load(file, weights_only=True)
    for stop, done, fits in ((1, 2, True), (2, 2, True), (2, 1, False)):
        torch.save(whole | {"progress": whole["progress"] | {"epoch": done}}, file)
        origin = {"shuffled": None, "recipe": recipe.with_training(stop=stop).as_dict()}
        stopped = manifest.model_copy(update={"provenance": manifest.provenance.model_copy(update=origin)})
        with nullcontext() if fits else pytest.raises(DataError, match="not finished"):
            load_sasrec(tmp_path, stopped, data)


def test_a_baseline_without_a_note_is_not_set_beside_shuffled_days(run: Run, manifest: Manifest) -> None:
    note = run.folder / "sasrec-B" / "made-of.json"
    before = note.read_text("utf-8")
    note.unlink()
    try:
        with pytest.raises(DataError, match="does not say what it was trained on"):
            load_sasrec(run.folder, manifest, run.dataset)
    finally:
        note.write_text(before, "utf-8")


def test_training_on_shuffled_days_is_one_option(
    csv: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command hands the pipeline the data shuffled with its seed, and a folder of its own."""
    runs: list[Run] = []

    def build(made: Run) -> Path:
        runs.append(made)
        return run.bundle("B", "inner")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pipeline, "build", build)
    for arguments in ([], ["--ties", "shuffled"], ["--ties", "shuffled", "--out", "mine"]):
        done = CliRunner().invoke(cli.app, ["train", str(csv), "--seed", str(SEED), *arguments])
        assert done.exit_code == 0, done.output
    assert [made.dataset.shuffled for made in runs] == [None, SEED, SEED]
    assert runs[1].dataset.digest == run.dataset.digest
    assert [str(made.folder) for made in runs] == ["runs/days", f"runs/days-shuffled-{SEED}", "mine"]
    assert CliRunner().invoke(cli.app, ["train", str(csv), "--ties", "by name"]).exit_code == 2
