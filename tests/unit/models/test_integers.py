"""Bundles in integers: near the network they came from, the same list alone and in a batch, never on a GPU."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tiny import (
    BUNDLE_ITEMS,
    CODES,
    PROVENANCE,
    SIZES,
    made_dataset,
    made_listing,
    made_network,
    made_sequences,
    made_sids,
    made_text,
)

from models import export
from models.calibration import calibrate, maps_of
from models.dataset import Dataset
from models.graphs.ranges import Ranges
from models.integers import IntegerError, choose, drift, export_int8
from models.manifest import Provenance, Scoring
from models.network import Promise
from models.recipe import Recipe
from service.engine import sessions
from service.engine.bundle import load
from service.engine.graphs import OnnxEngine
from service.engine.sessions import DeviceError
from service.search.guided import search
from service.search.legality import banned
from service.search.plan import Plan

SEQUENCES = made_sequences(40, BUNDLE_ITEMS)
KINDS = [
    pytest.param({}, id="gelu"),
    pytest.param({"activation": "relu"}, id="relu"),
    pytest.param({"history": 60}, id="unfolded"),
    pytest.param({"decoder_layers": 3}, id="3 layers"),
]


def network_of(**sizes: object) -> Promise:
    return made_network(BUNDLE_ITEMS, loud=True, sizes=replace(SIZES, **sizes))  # type: ignore[arg-type]  # sizes by name


def written(folder: Path, network: Promise, ranges: Ranges | None, provenance: Provenance = PROVENANCE) -> Path:
    export.write_bundle(
        folder,
        network,
        "inner",
        made_listing(BUNDLE_ITEMS),
        provenance,
        name="tiny",
        version="1",
        setting="B" if provenance.dataset_digest else "none",
        scoring=Scoring(leaf=0.0, prefix=0.5),
        metrics={},
        ranges=ranges,
    )
    return folder


def scores(engine: OnnxEngine, histories: list[list[int]]) -> list[dict[int, float]]:
    """Every leaf that a wide search of these histories scores, by request."""
    longest = max(map(len, histories))
    items = np.array([history + [0] * (longest - len(history)) for history in histories], np.int32)
    lengths = np.array([len(history) for history in histories], np.int32)
    codes = np.where(items[..., None] > 0, engine.bundle.catalogue.sids[items - 1], 0).astype(np.int32)
    context = engine.context(
        engine.encode(codes, items, lengths), lengths, [banned(engine.trie, row[:0]) for row in items]
    )
    found = search(engine, context, Plan.uniform(3, 60, 80), 60)
    return [
        dict(zip(node, score, strict=True))
        for node, score in zip(found.node.tolist(), found.score.tolist(), strict=True)
    ]


def correlation(one: dict[int, float], other: dict[int, float]) -> float:
    both = sorted(one.keys() & other.keys())
    assert len(both) > 40
    pairs: NDArray[np.float64] = np.corrcoef([one[node] for node in both], [other[node] for node in both])
    return float(pairs[0, 1])


@pytest.mark.parametrize("sizes", KINDS)
def test_scores_stay_near_and_do_not_depend_on_the_batch(tmp_path: Path, sizes: dict[str, object]) -> None:
    network = network_of(**sizes)
    ranges, _ = choose(network, SEQUENCES)
    exact, rounded = (
        OnnxEngine(load(written(tmp_path / name, network, chosen)), "cpu", 1)
        for name, chosen in (("exact", None), ("rounded", ranges))
    )
    assert (exact.bundle.manifest.precision, rounded.bundle.manifest.precision) == ("float32", "int8")
    histories = [[3, 4, 5, 6], [9], [20, 7]]
    together = scores(rounded, histories)
    for history, wanted, found in zip(histories, scores(exact, histories), together, strict=True):
        assert correlation(wanted, found) > 0.99
        assert wanted != found
        assert scores(rounded, [history]) == [found]


def test_ranges_that_cut_too_much_drift_more() -> None:
    network = network_of()
    some = SEQUENCES[:10]
    wide, narrow = (
        drift(network, calibrate(network, maps_of(network), SEQUENCES, share), some) for share in (1.0, 0.6)
    )
    assert 0 < wide.memory < 0.05
    assert narrow.memory > 2 * wide.memory
    assert narrow.log_prob > wide.log_prob
    assert asdict(drift(network, {}, some)) == {"memory": 0.0, "log_prob": 0.0}


@pytest.fixture
def data() -> Dataset:
    return made_dataset(SEQUENCES, BUNDLE_ITEMS, made_text(BUNDLE_ITEMS))


@pytest.fixture
def run(tmp_path: Path, data: Dataset) -> Path:
    """What a finished training leaves, as far as an export looks."""
    network = network_of()
    recipe = replace(Recipe("tiny"), network=network.recipe).as_dict()
    provenance = PROVENANCE.model_copy(update={"dataset_digest": data.digest, "recipe": recipe})
    written(tmp_path / "bundle-B-inner", network, None, provenance)
    (tmp_path / "promise-B").mkdir()
    torch.save({"model": network.state_dict()}, tmp_path / "promise-B/last.pt")
    np.savez(tmp_path / "promise-B/sids.npz", codes=made_sids(BUNDLE_ITEMS))
    return tmp_path


def test_a_finished_run_gives_a_smaller_bundle_of_the_same_catalogue(run: Path, data: Dataset) -> None:
    manifest = export_int8(run, "B", data, run / "int8")
    whole, found = load(run / "bundle-B-inner"), load(run / "int8")
    assert found.manifest == manifest
    assert (manifest.tag, manifest.precision, manifest.codebook) == ("tiny@1+int8", "int8", CODES)
    assert manifest.scoring == whole.manifest.scoring
    np.testing.assert_array_equal(found.catalogue.sids, whole.catalogue.sids)
    np.testing.assert_array_equal(found.tables.rows, whole.tables.rows)


def test_what_does_not_belong_together_is_refused(run: Path, data: Dataset) -> None:
    other = made_dataset(SEQUENCES[1:], BUNDLE_ITEMS, made_text(BUNDLE_ITEMS))
    with pytest.raises(IntegerError, match="trained on other data"):
        export_int8(run, "B", other, run / "int8")
    torch.save({"model": network_of(decoder_layers=2).state_dict()}, run / "promise-B/last.pt")
    with pytest.raises(IntegerError, match="not the finished training"):
        export_int8(run, "B", data, run / "int8")
    assert not (run / "int8").exists()


def test_a_gpu_is_refused_or_left_alone(run: Path, data: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    export_int8(run, "B", data, run / "int8")
    monkeypatch.setattr(sessions, "choose_device", lambda wanted: "cpu" if wanted == "cpu" else "cuda")
    assert OnnxEngine(load(run / "int8"), "auto", 1).device == "cpu"
    with pytest.raises(DeviceError, match="only run on the CPU"):
        OnnxEngine(load(run / "int8"), "cuda", 1)
