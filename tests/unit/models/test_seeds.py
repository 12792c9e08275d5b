"""Several seeds of one recipe: judged each on its own data, kept, and put into one table only where they belong."""

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_runs import made_csv, made_recipe, made_run
from typer.testing import CliRunner

from models import export, judging, seeds, seeds_judging
from models.data import DataError
from models.manifest import Correction, Manifest
from models.pipeline import Run
from models.results import Result, ResultsError
from models.seeds import About, Seed, choices, together
from service.commands.seeds import app

METHODS = ["beam50", "guided 50/200", "k50", "exact", "SASRec-CE", "popularity"]
WIDTHS = ((10, 20), (10, 30), (12, 40))


@pytest.fixture(scope="module")
def csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_csv(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def run(csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return made_run(csv, tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def both(run: Run, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Bundles of seed 0, and of one that claims seed 1, that tuned the default tier; a baseline lies beside each."""
    first, folder = run.bundle("B", "inner"), tmp_path_factory.mktemp("other")
    second = Path(shutil.copytree(first, folder / "bundle-B-inner"))
    shutil.copytree(run.folder / "sasrec-B", folder / "sasrec-B")
    provenance = manifest_of(first).provenance.model_copy(update={"seed": 1, "recipe": made_recipe(1).as_dict()})
    export.amend(second, provenance=provenance)
    for bundle in (first, second):
        export.amend(bundle, auto={"tiers": ("k50",), "widths": {"k50": WIDTHS}})
    return [first, second]


def manifest_of(bundle: Path) -> Manifest:
    return Manifest.model_validate_json((bundle / "manifest.json").read_bytes())


def judged(both: list[Path], csv: Path, folder: Path | None = None, **options: Any) -> list[Seed]:
    runs = [bundle.parent for bundle in both]
    return seeds_judging.judge(both, runs, Path(), folder, dataset=str(csv), **options)


def test_every_seed_is_judged_by_every_method_and_kept(csv: Path, both: list[Path], tmp_path: Path) -> None:
    found = judged(both, csv, tmp_path)
    assert [seed.about.seed for seed in found] == [0, 1]
    assert [[result.method for result in seed.results] for seed in found] == [METHODS] * 2
    assert found[0].results[1].rank.tolist() == found[1].results[1].rank.tolist(), "the same weights"
    assert [seed.results[2].k_plus for seed in found] == [40, 40], "the bundle's own widths"
    assert found[0].about.tier == "10/20, 10/30, 12/40"
    assert not any(seed.about.shuffled for seed in found)
    for one, again in zip(found, seeds.load(tmp_path), strict=True):
        assert one.about == again.about
        for kept, made in zip(again.results, one.results, strict=True):
            assert kept.method == made.method
            assert np.array_equal(kept.rank, made.rank)


def test_the_default_tier_is_corrected_and_the_plain_scan_is_not(both: list[Path]) -> None:
    plain = manifest_of(both[1])
    corrected = plain.model_copy(update={"correction": Correction(pool=30, newest=5)})
    ways = {method.name: method for method in seeds_judging.methods(corrected)}
    assert list(ways) == ["beam50", "guided 50/200", "k50", "exact", "corrected exact"]
    assert [level.k_plus for level in ways["k50"].plan.levels] == [20, 30, 40]  # type: ignore[union-attr]  # a search has a plan
    pools = [way.plan.rescore if way.plan else way.pool for way in ways.values()]
    assert pools == [0, 0, 30, 0, 30]
    assert "corrected exact" not in [method.name for method in seeds_judging.methods(plain)]
    assert [way.name for way in seeds_judging.methods(corrected.model_copy(update={"exact": False}))][-1] == "k50"


def test_figures_are_those_of_evaluate(csv: Path, both: list[Path]) -> None:
    found = judged(both[:1], csv)[0].results
    named = {result.method: result for result in found}
    for result in judging.judge(both[:1], str(csv), Path(), both[0].parent):
        if result.method in named:
            assert np.array_equal(named[result.method].rank, result.rank), result.method


def test_what_is_kept_is_not_judged_again_until_something_changes(
    csv: Path, both: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = judged(both[:1], csv, tmp_path, users=20)
    calls: list[int] = []

    def judge(task: Any, *_: Any) -> Seed:
        calls.append(task.about.seed)
        return first[0]

    monkeypatch.setattr(seeds_judging, "_judge", judge)
    again = judged(both[:1], csv, tmp_path, users=20)
    assert not calls
    assert again[0].about == first[0].about
    judged(both[:1], csv, tmp_path, users=21)
    assert calls == [0], "other users"
    note = (tmp_path / "seed-0.json").read_text("utf-8")
    (tmp_path / "seed-0.json").unlink()
    judged(both[:1], csv, tmp_path, users=20)
    assert calls == [0, 0], "results without a note may be cut"
    (tmp_path / "seed-0.json").write_text(note.replace("setting", "set"), "utf-8")
    judged(both[:1], csv, tmp_path, users=20)
    assert calls == [0, 0, 0], "nor is a note of another format taken"
    (tmp_path / "seed-0.json").write_text(note, "utf-8")
    judged(both[:1], csv, tmp_path, users=20)
    assert calls == [0, 0, 0]
    rule = manifest_of(both[0]).scoring
    export.amend(both[0], scoring={"leaf": 0.25, "prefix": 0.25})
    judged(both[:1], csv, tmp_path, users=20)
    export.amend(both[0], scoring=rule)
    assert calls == [0, 0, 0, 0], "another rule"


def test_a_bundle_on_other_data_and_an_absent_baseline_are_refused(csv: Path, both: list[Path], tmp_path: Path) -> None:
    other = tmp_path / "days.csv"
    other.write_text(csv.read_text("utf-8") + "u000,i39,900000\n", "utf-8")
    with pytest.raises(DataError, match="other data"):
        judged(both, other)
    with pytest.raises(DataError, match="no trained baseline"):
        seeds_judging.judge(both[:1], [tmp_path], Path(), None, dataset=str(csv))


def about(**changes: Any) -> About:
    plain = About("made@1", "beauty", "B", 0, False, "50/200", "everybody", {"training": {"epochs": 5}}, "x")
    return replace(plain, **changes)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"setting": "A"}, "differ in setting"),
        ({"dataset": "sports"}, "differ in dataset"),
        ({"shuffled": True}, "differ in shuffled"),
        ({"tier": "50/800"}, "differ in tier"),
        ({"people": "some"}, "differ in people"),
        ({"choices": {}}, "differ in choices"),
        ({"seed": 0}, "may come once"),
    ],
)
def test_what_makes_no_table_is_refused(changes: dict[str, Any], sentence: str) -> None:
    together([about(), about(seed=1, bundle="made@2", made_of="y")])
    with pytest.raises(ResultsError, match=sentence):
        together([about(), about(**{"seed": 1, **changes})])


def test_recipes_are_one_where_they_differ_in_seed_and_form_or_were_written_before_a_field_came() -> None:
    recipe = made_recipe(0)
    older = json.loads(json.dumps(recipe.with_training(seed=4).as_dict() | {"name": "older"}))
    for field in ("survival", "augment", "stop"):
        del older["training"][field]
    assert choices(recipe.as_dict()) == choices(older)
    assert choices(recipe.with_network(prm=("inner", "cross")).as_dict()) == choices(recipe.as_dict())
    changes: list[Callable[[], Any]] = [
        lambda: recipe.with_training(augment=0.2),
        lambda: recipe.with_network(width=20),
        lambda: recipe.with_tokenizer(depth=4),
    ]
    assert all(choices(change().as_dict()) != choices(recipe.as_dict()) for change in changes)
    assert choices(recipe.as_dict() | {"correction": {"lists": 3}})["correction"] == {"lists": 3}


def test_a_damaged_note_and_an_empty_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="holds no seed"):
        seeds.load(tmp_path)
    for content in ("{", json.dumps({"bundle": "made"}), json.dumps(asdict(about()) | {"more": 1})):
        (tmp_path / "seed-0.json").write_text(content, "utf-8")
        with pytest.raises(ResultsError, match=r"seed-0\.json: not a readable note"):
            seeds.load(tmp_path)


def test_one_command_judges_and_a_second_one_tabulates_what_was_kept(
    csv: Path, both: list[Path], tmp_path: Path
) -> None:
    page, kept = tmp_path / "page.md", tmp_path / "kept"
    page.write_text("<!-- begin: final-days-B -->\n<!-- end: final-days-B -->\n", "utf-8")
    given = ["--save", str(kept), "--markdown", str(page)]
    names = [str(bundle) for bundle in both]
    done = CliRunner().invoke(app, [*names, "--dataset", str(csv), *given])
    assert done.exit_code == 0, done.output
    written = page.read_text("utf-8")
    assert all(f"| {method} |" in written for method in METHODS)
    page.write_text("<!-- begin: final-days-B -->\n<!-- end: final-days-B -->\n", "utf-8")
    done = CliRunner().invoke(app, [*given, "--json"])
    assert done.exit_code == 0, done.output
    assert page.read_text("utf-8") == written
    figures = json.loads(done.stdout)
    assert figures["seeds"] == [0, 1]
    ranks: list[Result] = [seed.results[3] for seed in seeds.load(kept)]
    assert figures["methods"]["exact"]["recall@5"] == [result.recall(5) for result in ranks]
    refused = CliRunner().invoke(app, [*names, "--run", str(tmp_path)])
    assert refused.exit_code == 2
    assert "need as many" in refused.output
