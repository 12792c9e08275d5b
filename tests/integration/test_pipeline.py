"""One small dataset all the way: a CSV, semantic IDs, training in both settings, bundles that the service opens."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models import export, judging, pipeline
from models.data import DataError, Dataset, load
from models.judging import audit
from models.listing import train_digest
from models.manifest import UNFINISHED, Manifest
from models.pipeline import Run
from models.recipe import Recipe, named
from service.engine.bundle import load as load_bundle
from service.engine.graphs import OnnxEngine
from service.search.guided import search
from service.search.plan import Plan
from service.search.trie import banned

USERS, ITEMS = 300, 60


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Users walk round a ring of items, with a leap now and then: there is something to learn."""
    rng, rows = np.random.default_rng(0), ["user_id,item_id,timestamp"]
    for user in range(USERS):
        item = int(rng.integers(ITEMS))
        for step in range(int(rng.integers(5, 12))):
            rows.append(f"u{user:03},i{item:02},{step * 86_400 + user}")
            item = (item + 1 + (0 if rng.random() < 0.9 else int(rng.integers(ITEMS - 1)))) % ITEMS
    path = tmp_path_factory.mktemp("data") / "ring.csv"
    path.write_text("\n".join(rows) + "\n", "utf-8")
    return load(str(path))


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    small = named("smoke").with_tokenizer(codebook=8).with_network(encoder_layers=1)
    return small.with_training(epochs=2, precision="float32", learning_rate=1e-2)


@pytest.fixture(scope="module")
def run(dataset: Dataset, recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(dataset, recipe, tmp_path_factory.mktemp("run"), "7", lambda _: None)


@pytest.fixture(scope="module")
def built(run: Run) -> Path:
    """The whole recipe, and the baseline beside."""
    found = pipeline.build(run)
    pipeline.build_baseline(run)
    return found


def manifest_of(run: Run, setting: pipeline.Setting) -> Manifest:
    return load_bundle(run.bundle(setting, "inner")).manifest


def test_both_settings_end_in_a_bundle_that_says_where_it_is_from(run: Run, built: Path) -> None:
    assert built == run.bundle("B", "inner")
    first, second = manifest_of(run, "A"), manifest_of(run, "B")
    assert (first.setting, second.setting) == ("A", "B")
    assert first.tag == second.tag == "ring-smoke@7"
    assert first.scoring == second.scoring, "chosen on validation in A, kept in B"
    for manifest in (first, second):
        assert manifest.provenance.dataset_digest == run.dataset.digest
        assert manifest.provenance.recipe == json.loads(json.dumps(run.recipe.as_dict()))
        assert (manifest.items, manifest.provenance.users) == (ITEMS, USERS)
        assert {name.rpartition(" ")[2] for name in manifest.metrics} == {"recall@10", "ndcg@10"}
    seen = [sum(map(len, run.split(setting).train)) for setting in ("A", "B")]
    assert [first.provenance.interactions, second.provenance.interactions] == seen
    assert seen[1] == seen[0] + USERS


def test_the_audit_proves_what_was_held_out(run: Run, built: Path) -> None:
    assert built.exists()
    for setting in ("A", "B"):
        bundle = load_bundle(run.bundle("A" if setting == "A" else "B", "inner"))
        split = run.split("A" if setting == "A" else "B")
        assert bundle.manifest.provenance.train_digest == train_digest(run.dataset, split)
        audit(bundle.manifest, bundle.catalogue.ids, bundle.catalogue.popularity, run.dataset)
        other = bundle.manifest.model_copy(update={"setting": "B" if setting == "A" else "A"})
        with pytest.raises(DataError, match="was not trained on exactly the sequences"):
            audit(other, bundle.catalogue.ids, bundle.catalogue.popularity, run.dataset)


def test_samples_are_nobodys_history(run: Run, built: Path) -> None:
    catalogue = load_bundle(built).catalogue
    own = {tuple(run.dataset.items.ids[row - 1] for row in rows) for rows in run.dataset.sequences}
    assert catalogue.samples
    assert not own & set(catalogue.samples)
    assert catalogue.ids == tuple(run.dataset.items.ids)


def test_the_service_recommends_from_it_and_it_has_learned(run: Run, built: Path) -> None:
    engine = OnnxEngine(load_bundle(built), "cpu", 1)
    sids, test = engine.bundle.catalogue.sids, run.split("B").test
    hits = 0
    for history, target in zip(test.histories[:60], test.targets[:60], strict=True):
        newest = history[-engine.history_limit :]
        lengths = np.array([len(newest)], np.int32)
        memory = engine.encode(sids[newest - 1][None], newest[None], lengths)
        context = engine.context(memory, lengths, [banned(engine.trie, history)])
        found = search(engine, context, Plan.uniform(engine.depth, 20, 60), 10)
        rows = engine.trie.rows(found.node[0]).tolist()
        assert not set(rows) & set(history.tolist())
        hits += int(target) in rows
    assert hits / 60 > 1.5 * 10 / ITEMS, "better than chance"


def test_a_second_call_trains_nothing_and_ends_with_the_same_weights(run: Run, built: Path) -> None:
    assert built.exists()
    epochs = manifest_of(run, "B").provenance.epochs
    lines: list[str] = []
    again = replace(run, log=lines.append)
    for setting, kind, until in (("A", "promise", None), ("B", "promise", epochs), ("A", "sasrec", None)):
        folder = run.stage("A" if setting == "A" else "B", kind)
        before = {path.name: path.read_bytes() for path in folder.iterdir()}
        model, progress = pipeline.fit(again, "A" if setting == "A" else "B", until, kind)
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
        assert progress.epoch == (until or run.recipe.training.epochs)
        kept = torch.load(folder / ("best.pt" if setting == "A" else "last.pt"), weights_only=True)
        kept = kept.get("model", kept)
        assert all(torch.equal(weights, kept[name]) for name, weights in model.state_dict().items())
    assert len(lines) == 3
    assert all("resumed after epoch" in line for line in lines)


def test_setting_a_never_reads_what_it_is_judged_on(run: Run, built: Path) -> None:
    """Tokens made from setting A's training interactions, whatever the held-out items are."""
    assert built.exists()
    swapped = [np.append(rows[:-2], [1, 2]).astype(np.int32) for rows in run.dataset.sequences]
    other = replace(run, dataset=replace(run.dataset, sequences=swapped), folder=run.folder / "other")
    assert np.array_equal(pipeline.semantic_ids(other, "A").codes, pipeline.semantic_ids(run, "A").codes)
    assert not np.array_equal(pipeline.semantic_ids(other, "B").codes, pipeline.semantic_ids(run, "B").codes)


def test_amending_a_bundle_leaves_it_valid(run: Run, built: Path) -> None:
    before = manifest_of(run, "B")
    assert export.amend(built, metrics={"mine": 1.0}).metrics == {"mine": 1.0}
    assert load_bundle(built).manifest.files == before.files
    assert export.amend(built, metrics=before.metrics) == before


def test_a_run_folder_is_not_shared_by_two_recipes(run: Run, built: Path) -> None:
    assert built.exists()
    other = replace(run, recipe=run.recipe.with_training(seed=5))
    for make in (pipeline.build, pipeline.build_baseline):
        with pytest.raises(pipeline.RunError, match="another recipe or other data"):
            make(other)


def test_bundles_of_two_settings_and_unfinished_ones_are_not_judged(
    run: Run, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judging, "load", lambda *_, **__: run.dataset)
    both = [run.bundle("A", "inner"), built]
    with pytest.raises(DataError, match="another setting"):
        judging.judge(both, "", Path(), None)
    results = judging.judge([built], "", Path(), run.folder, users=20, only=["beam50", "exact"])
    assert [result.method for result in results] == ["beam50", "exact", "SASRec-CE", "popularity"]
    version = manifest_of(run, "B").version
    export.amend(built, version=UNFINISHED)
    with pytest.raises(DataError, match="cut before it was finished"):
        judging.judge([built], "", Path(), None)
    export.amend(built, version=version)
