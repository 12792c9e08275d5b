"""A small world all the way: codes, training, bundle, report; a second call goes on from what is there."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import padded

from models.dataset import Dataset
from models.manifest import Manifest
from models.pipeline import RunError
from models.recipe import Recipe
from models.world import report
from models.world.build import WorldRun, build, made_network, semantic_ids, world_recipe
from models.world.check import Checker
from models.world.data import make_dataset
from models.world.items import WorldRecipe
from models.world.report import Row

SMALL = WorldRecipe(items=700, topics=5, subtopics=7, dimensions=6, users=400, shortest=4, longest=9)


def small_recipe() -> Recipe:
    recipe = world_recipe(SMALL.items).with_tokenizer(codebook=32)
    recipe = recipe.with_network(width=16, heads=2, head_width=8, feed_forward=32, history=8, row_limit=100)
    return recipe.with_training(epochs=2, shards=2, users=32, sampled=64, guided=16)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return make_dataset(SMALL)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> WorldRun:
    return WorldRun(SMALL, small_recipe(), tmp_path_factory.mktemp("world"), "3", lambda _: None)


@pytest.fixture(scope="module")
def bundle(run: WorldRun, dataset: Dataset) -> Path:
    return build(run, dataset)


@pytest.fixture(scope="module")
def rows(bundle: Path, dataset: Dataset) -> list[Row]:
    return report.judge(bundle, dataset, users=60, timed=2)


def test_the_bundle_says_what_it_was_made_of(bundle: Path, run: WorldRun, dataset: Dataset) -> None:
    manifest = Manifest.model_validate_json((bundle / "manifest.json").read_bytes())
    assert (manifest.items, manifest.version, manifest.prm) == (SMALL.items, "3", "inner")
    assert manifest.provenance.recipe == json.loads(json.dumps(run.made_of()))
    assert manifest.provenance.dataset_digest == dataset.digest


def test_wider_searches_keep_more_of_the_scan(rows: list[Row]) -> None:
    kept = {row.method: row.overlap for row in rows}
    assert list(kept) == ["exact", *report.TIERS]
    assert kept["exact"] is None
    assert kept["k10"] is not None
    assert kept["k200"] is not None
    assert 0 < kept["k10"] <= kept["k200"] == pytest.approx(1, abs=0.02)
    for row in rows[1:]:
        assert row.survived[-1] >= row.overlap - 1e-9  # type: ignore[operator]  # only the scan has none


def test_the_report_is_for_people_and_for_machines(rows: list[Row]) -> None:
    assert [line.split()[0] for line in report.lines(rows)] == ["method", "exact", *report.TIERS]
    assert [row["method"] for row in json.loads(report.as_json(rows))] == ["exact", *report.TIERS]
    assert report.metrics(rows)["k50 overlap@10"] == pytest.approx(rows[3].overlap, abs=1e-4)


@pytest.mark.usefixtures("bundle")
def test_a_second_call_trains_nothing(run: WorldRun, dataset: Dataset) -> None:
    said: list[str] = []
    before = (run.folder / "training" / "last.pt").read_bytes()
    build(replace(run, log=said.append), dataset)
    assert (run.folder / "training" / "last.pt").read_bytes() == before
    assert any("resumed after epoch 2" in line for line in said)


@pytest.mark.usefixtures("bundle")
def test_a_folder_of_another_run_is_refused(run: WorldRun, dataset: Dataset) -> None:
    with pytest.raises(RunError, match="another recipe"):
        build(replace(run, recipe=run.recipe.with_training(seed=1)), dataset)


def test_code_embeddings_start_as_a_projection_of_the_centroids(run: WorldRun, dataset: Dataset) -> None:
    codes, centroids = semantic_ids(run, dataset)
    network = made_network(run.recipe, codes, centroids, dataset)
    assert torch.equal(network.features.codes, network.decoder.head)
    table = network.features.codes.detach().view(*centroids.shape[:2], -1)
    assert np.linalg.matrix_rank(table.flatten(0, 1).numpy(), tol=1e-4) == centroids.shape[2]
    away = np.linalg.norm(centroids[0] - centroids[0][0], axis=1)
    apart = (table[0] - table[0][0]).norm(dim=1).numpy()
    assert np.corrcoef(away, apart)[0, 1] > 0.5


def test_the_check_in_torch_finds_what_the_network_ranks(run: WorldRun, dataset: Dataset) -> None:
    network = made_network(run.recipe, *semantic_ids(run, dataset), dataset)
    items, lengths = padded([[5, 9, 700], [1, 2]])
    found = Checker(network).check(items, lengths, 700, 700, 0.5)
    scores = network.leaf_scores(items, lengths)[:, 1:]
    best = network.catalogue.member(2)[1 + scores.topk(10).indices].numpy()
    assert np.array_equal(found.exact, best)
    assert np.array_equal(found.found, best), "a search that keeps everything is the scan"
    assert found.overlap() == found.kept.min() == found.expanded.min() == 1.0
    narrow = Checker(network).check(items, lengths, 3, 6, 0.5)
    assert narrow.overlap() < 1
    assert (narrow.kept <= narrow.expanded).all()
