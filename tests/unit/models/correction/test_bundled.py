"""The written correction is PyTorch's, for every history length, whatever else is in the batch or the list."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_corrected import RECIPE, made_correction, made_relations
from numpy.typing import NDArray
from onnx import numpy_helper
from tiny import BUNDLE_ITEMS, Bundles

from models import contract
from models.correction.bundled import Corrected, check, write_correction
from models.correction.network import COUNTED, Correction, Related, places
from models.graphs.correction import correction_graph
from models.parity import ParityError
from service.engine.bundle import load

ITEMS, LEAVES = 40, 45
F32 = NDArray[np.float32]
CORRECTED = made_correction(ITEMS)
# Nodes to item rows: other than the rows themselves, and the last five are strange.
ITEM = np.concatenate([np.random.default_rng(0).permutation(ITEMS) + 1, np.zeros(5)]).astype(np.int32)
newest = st.lists(st.integers(0, ITEMS), min_size=1, max_size=RECIPE.newest)
nodes = st.lists(st.integers(0, LEAVES - 1), min_size=1, max_size=9, unique=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("correction")
    write_correction(folder, CORRECTED)
    return folder


@pytest.fixture(scope="module")
def session(folder: Path) -> ort.InferenceSession:
    return ort.InferenceSession(folder / contract.CORRECTION.file, providers=["CPUExecutionProvider"])


def run(
    session: ort.InferenceSession, histories: Sequence[Sequence[int]], lists: Sequence[Sequence[int]], keep: int = 99
) -> list[NDArray[np.generic]]:
    """order, node, log_prob, reward of lists that are filled up with whatever node comes next; rewards fall by one."""
    width, longest = max(map(len, lists)), max(map(len, histories))
    node = np.array([[*some, *range(width - len(some))] for some in lists], np.int32)
    real = np.arange(width) < np.array([len(some) for some in lists])[:, None]
    feeds = {
        "node": node,
        "log_prob": np.where(real, np.float32(-1), np.float32(-np.inf)),
        "reward": np.where(real, -np.arange(width), -np.inf).astype(np.float32),
        "chosen": np.tile(np.arange(width), (len(lists), 1)) + 7,
        "place": places(width)[None].numpy(),
        "age": np.arange(longest, dtype=np.int32),
        "history": np.array([[*rows, *[0] * (longest - len(rows))] for rows in histories], np.int32),
        "item": ITEM,
        "k_keep": np.array([min(keep, width)], np.int64),
        **CORRECTED.relations.arrays(),
    }
    found: list[NDArray[np.generic]] = session.run(list(contract.CORRECTION.outputs), feeds)
    return found


@torch.no_grad()
def wanted(history: Sequence[int], some: Sequence[int]) -> F32:
    """PyTorch's rewards of one list without any filler."""
    related, rows = Related(CORRECTED.relations), torch.from_numpy(ITEM[list(some)].astype(np.int64))[None]
    past, inner = torch.tensor([list(history)]), torch.arange(0.0, -len(some), -1)[None]
    pairs = related(past, rows)
    found: F32 = CORRECTED.model(pairs, past > 0, related.popularity[rows], inner, rows == 0)[0].numpy()
    return found


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(newest, nodes), min_size=1, max_size=4))
def test_every_row_of_a_batch_is_pytorchs_and_filler_comes_last(
    session: ort.InferenceSession, batch: list[tuple[list[int], list[int]]]
) -> None:
    histories, lists = zip(*batch, strict=True)
    found = run(session, histories, lists)
    for history, some, order, node, log_prob, reward in zip(histories, lists, *found, strict=True):
        rewards, count = wanted(history, some), len(some)
        kept = order[:count] - 7
        assert sorted(kept.tolist()) == list(range(count)), "filler behind all others"
        assert np.isneginf(log_prob[count:]).all()
        assert np.isfinite(log_prob[:count]).all()
        assert np.array_equal(node[:count], np.array(some)[kept])
        np.testing.assert_allclose(reward[:count], rewards[kept], atol=1e-4, rtol=1e-4)
        assert (np.diff(rewards[kept]) <= 2e-4).all(), "best corrected reward first"


@settings(max_examples=30, deadline=None)
@given(newest, nodes, st.integers(1, 9))
def test_fewer_kept_are_the_best_of_all(
    session: ort.InferenceSession, history: list[int], some: list[int], keep: int
) -> None:
    whole, few = run(session, [history], [some]), run(session, [history], [some], keep)
    for all_of_it, part in zip(whole, few, strict=True):
        assert np.array_equal(all_of_it[:, : min(keep, len(some))], part)


@pytest.mark.parametrize("length", range(1, RECIPE.newest + 1))
@pytest.mark.parametrize("seed", range(3))
def test_the_check_of_an_export_passes_at_every_length(folder: Path, length: int, seed: int) -> None:
    assert check(folder, CORRECTED, length, seed) < 1e-4


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("sizes", [{"heads": 1}, {"width": 5, "heads": 3}, {"newest": 1}, {"newest": 12}])
def test_other_sizes_are_written_as_well(tmp_path: Path, groups: int, sizes: dict[str, int]) -> None:
    made = made_correction(ITEMS, recipe=replace(RECIPE, **sizes))
    relations = made.relations
    if groups == 1:
        profiles = relations.profiles[:, : RECIPE.profile]
        relations = replace(relations, profiles=profiles, groups=1)
        model = Correction(1 + len(COUNTED), made.model.recipe)
        torch.nn.init.normal_(model.reward.weight)
        made = Corrected(model.eval(), relations)
    write_correction(tmp_path, made)


def largest_weights(model: onnx.ModelProto) -> list[onnx.TensorProto]:
    floats = [each for each in model.graph.initializer if each.data_type == onnx.TensorProto.FLOAT]
    return sorted(floats, key=lambda each: -np.prod(each.dims))[:3]


@pytest.mark.parametrize("number", range(3))
def test_a_changed_weight_is_noticed(tmp_path: Path, number: int) -> None:
    write_correction(tmp_path, CORRECTED)
    file = tmp_path / contract.CORRECTION.file
    model = onnx.load(file)
    weight = largest_weights(model)[number]
    weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight) * np.float32(1.5), weight.name))
    file.write_bytes(model.SerializeToString())
    with pytest.raises(ParityError, match=r"^correction\.onnx: "):
        check(tmp_path, CORRECTED, RECIPE.newest)


def test_another_order_is_noticed(tmp_path: Path) -> None:
    write_correction(tmp_path, CORRECTED)
    file = tmp_path / contract.CORRECTION.file
    model = onnx.load(file)
    (top,) = (node for node in model.graph.node if node.op_type == "TopK")
    top.attribute.append(onnx.helper.make_attribute("largest", 0))
    file.write_bytes(model.SerializeToString())
    with pytest.raises(ParityError, match="rank"):
        check(tmp_path, CORRECTED, RECIPE.newest)


def test_writing_twice_gives_the_same_bytes() -> None:
    one, two = (correction_graph(CORRECTED.model, CORRECTED.relations.groups).SerializeToString() for _ in range(2))
    assert one == two


def test_the_relations_are_stored_as_they_are_and_the_manifest_tells_the_shape(folder: Path) -> None:
    with np.load(folder / contract.RELATIONS) as stored:
        arrays = dict(stored)
    assert set(arrays) == set(contract.RELATED)
    for name, array in made_relations(ITEMS, width=RECIPE.profile).arrays().items():
        assert array.dtype == arrays[name].dtype
        assert np.array_equal(array, arrays[name]), name
    assert (CORRECTED.shape().pool, CORRECTED.shape().newest) == (RECIPE.pool, RECIPE.newest)
    assert CORRECTED.parameters() == sum(p.numel() for p in CORRECTED.model.parameters()) > 0


def test_a_bundle_written_with_a_correction_loads(bundles: Bundles, tmp_path: Path) -> None:
    """The whole export, unlike the bundles that other tests add a correction to."""
    from tiny import PROVENANCE, made_listing

    from models import export
    from models.manifest import Scoring

    corrected = made_correction(BUNDLE_ITEMS)
    plain = load(bundles.inner).manifest
    manifest = export.write_bundle(
        tmp_path / "bundle",
        bundles.network,
        "inner",
        made_listing(BUNDLE_ITEMS),
        PROVENANCE,
        name="tiny",
        version="2",
        setting="none",
        scoring=Scoring(leaf=0.0, prefix=0.0),
        metrics={},
        corrected=corrected,
    )
    bundle = load(tmp_path / "bundle")
    assert bundle.manifest == manifest
    assert bundle.manifest.correction == corrected.shape()
    assert manifest.parameters == plain.parameters + corrected.parameters()
    assert all(np.array_equal(bundle.relations[name], array) for name, array in corrected.relations.arrays().items())
