"""The written graphs are PyTorch's networks, whatever the sizes; and they stay as small as they are."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import onnx
import pytest
import torch
from made_corrected import RECIPE, made_correction
from made_voted import made_votes
from onnx import numpy_helper
from tiny import BUNDLE_ITEMS, DEPTH, SIZES, TRAINING, Bundles, made_network

from models import contract, export
from models.contract import Form
from models.graphs import blocks
from models.graphs.correction import correction_graph
from models.graphs.generator import DENSE, generator_graph
from models.graphs.votes import votes_graph
from models.layers import layers_of
from models.network import Promise
from models.parity import ParityError, check_parity

FORMS: tuple[Form, ...] = get_args(Form)
LONG = 60  # items: folding keys and values would cost more than it saves at these widths
MOST_NODES = {
    "encoder.onnx": 31,
    "context.onnx": 46,
    "generator-2.onnx": 36,
    "generator-3.onnx": 40,
    "prm.onnx": 12,
    "scan.onnx": 29,
}
MOST_OF_A_CORRECTION = 107  # it runs once a request, over a pool of leaves
MOST_OF_VOTES = 14  # they are only given where a strategy asks


def network_of(items: int = 30, depth: int = 3, **sizes: object) -> Promise:
    return made_network(items, forms=("inner", "cross"), loud=True, depth=depth, sizes=replace(SIZES, **sizes))  # type: ignore[arg-type]


def written(folder: Path, network: Promise, form: Form) -> Path:
    """The graphs alone, as a bundle holds them."""
    folder.mkdir(exist_ok=True)
    for file, model in export.graphs(network, form):
        (folder / file).write_bytes(model.SerializeToString())
    return folder


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "network",
    [
        pytest.param({}, id="gelu"),
        pytest.param({"activation": "relu"}, id="relu"),
        pytest.param({"depth": 2}, id="2 codes"),
        pytest.param({"depth": 4}, id="4 codes"),
        pytest.param({"history": LONG, "cross_heads": 2}, id="unfolded"),
        pytest.param({"history": LONG, "cross_heads": 2, "decoder_layers": 3}, id="unfolded, 3 layers"),
        pytest.param({"decoder_layers": 3}, id="3 layers"),
        pytest.param({"context_layers": 0}, id="no context layer"),
        pytest.param({"context_layers": 2, "encoder_layers": 1}, id="2 context layers"),
        pytest.param({"row_limit": 7, "item_rows": False}, id="few rows"),
    ],
)
def test_every_graph_computes_what_pytorch_computes(tmp_path: Path, form: Form, network: dict[str, int]) -> None:
    made = network_of(**network)
    check_parity(written(tmp_path / "graphs", made, form), made, form)
    files = {path.name for path in (tmp_path / "graphs").iterdir()}
    signatures = contract.graphs(made.recipe.decoder_layers, made.catalogue.depth, form)
    assert files == {signature.file for signature in signatures}


def test_both_kinds_of_attention_are_among_them() -> None:
    for history, folded in ((SIZES.history, True), (LONG, False)):
        network = network_of(history=history, cross_heads=2)
        assert network.cross is not None
        attends = [*(block.attend for block in layers_of(network.decoder.blocks)), network.cross.block.attend]
        assert [blocks.folds(attend, history) for attend in attends] == [folded] * 2


@pytest.mark.parametrize("gathered", [True, False])
@pytest.mark.parametrize("sizes", [{}, {"history": LONG}], ids=["folded", "unfolded"])
def test_gathered_and_dense_scores_are_the_same(tmp_path: Path, gathered: bool, sizes: dict[str, int]) -> None:
    network = network_of(**sizes)
    folder, layers = written(tmp_path / "graphs", network, "inner"), network.recipe.decoder_layers
    for level in (1, 2):
        file = folder / contract.generator(layers, level).file
        before = file.read_bytes()
        with torch.no_grad():
            file.write_bytes(generator_graph(network, level, gathered).SerializeToString())
        assert (file.read_bytes() == before) != gathered, "dense is the choice for a small codebook"
    check_parity(folder, network, "inner")


@pytest.mark.parametrize(("children", "gathered"), [(1, True), (2, False)])
def test_scores_are_gathered_where_few_children_stand_beside_a_large_codebook(children: int, gathered: bool) -> None:
    sids = np.array([(first, 5, last) for first in range(9) for last in range(children)], np.int32)
    network = Promise(sids, DENSE * 2 - 1, None, SIZES, TRAINING).eval()
    with torch.no_grad():
        chosen, told = generator_graph(network, 2), generator_graph(network, 2, gathered)
    assert chosen.SerializeToString() == told.SerializeToString()


def largest_weight(model: onnx.ModelProto) -> onnx.TensorProto:
    floats = [each for each in model.graph.initializer if each.data_type == onnx.TensorProto.FLOAT]
    largest: onnx.TensorProto = max(floats, key=lambda each: np.prod(each.dims))
    return largest


@pytest.mark.parametrize(("form", "file"), [*(("inner", file) for file in MOST_NODES), ("cross", "prm.onnx")])
def test_a_changed_weight_is_noticed_and_its_graph_named(tmp_path: Path, form: Form, file: str) -> None:
    network = network_of()
    folder = written(tmp_path / "graphs", network, form)
    model = onnx.load(folder / file)
    if (form, file) == ("inner", "prm.onnx"):  # it has no weights: another order is what could go wrong
        (top,) = (node for node in model.graph.node if node.op_type == "TopK")
        top.attribute.append(onnx.helper.make_attribute("largest", 0))
    else:
        weight = largest_weight(model)
        weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight) * np.float32(1.5), weight.name))
    (folder / file).write_bytes(model.SerializeToString())
    with pytest.raises(ParityError, match=rf"^{file}: '\w+' differs from PyTorch"):
        check_parity(folder, network, form)


def test_an_output_of_another_type_is_noticed(tmp_path: Path) -> None:
    network = network_of()
    folder = written(tmp_path / "graphs", network, "inner")
    model = onnx.load(folder / "encoder.onnx")
    (cast,) = (node for node in model.graph.node if list(node.output) == ["memory"])
    cast.attribute[0].i = model.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    (folder / "encoder.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ParityError, match=r"^encoder\.onnx: 'memory' is float32"):
        check_parity(folder, network, "inner")


@pytest.mark.parametrize("file", MOST_NODES)
def test_nobody_adds_nodes_unseen(bundles: Bundles, file: str) -> None:
    """A node costs 2 to 3 µs a call. Who needs one more says so here."""
    assert len(onnx.load(bundles.inner / file).graph.node) <= MOST_NODES[file]


@pytest.mark.parametrize("sizes", [{}, {"heads": 4, "width": 32, "newest": 20}])
def test_nobody_adds_nodes_to_a_correction_unseen(sizes: dict[str, int]) -> None:
    corrected = made_correction(BUNDLE_ITEMS, recipe=replace(RECIPE, **sizes))
    graph = correction_graph(corrected.model, corrected.relations.groups)
    assert len(graph.graph.node) <= MOST_OF_A_CORRECTION


@pytest.mark.parametrize("depth", [1, DEPTH])
def test_nobody_adds_nodes_to_votes_unseen(depth: int) -> None:
    with torch.no_grad():
        assert len(votes_graph(made_votes(depth=depth).model).graph.node) <= MOST_OF_VOTES


def test_the_bounds_are_those_of_all_graphs(bundles: Bundles) -> None:
    assert {path.name for path in bundles.inner.glob("*.onnx")} == set(MOST_NODES)
    graphs = contract.graphs(SIZES.decoder_layers, DEPTH, "inner", corrected=True, voted=True)
    assert {graph.file for graph in graphs} == {*MOST_NODES, contract.CORRECTION.file, contract.VOTES.file}
    assert bundles.network.catalogue.items == BUNDLE_ITEMS


def initializers(model: onnx.ModelProto) -> Iterator[bytes]:
    for tensor in model.graph.initializer:
        yield bytes(f"{tensor.data_type} {list(tensor.dims)} ", "ascii") + tensor.raw_data


def test_constants_are_kept_once_and_all_are_used(bundles: Bundles) -> None:
    corrected = made_correction(BUNDLE_ITEMS)
    models = {path.name: onnx.load(path) for path in sorted(bundles.inner.glob("*.onnx"))}
    models[contract.CORRECTION.file] = correction_graph(corrected.model, corrected.relations.groups)
    with torch.no_grad():
        models[contract.VOTES.file] = votes_graph(made_votes().model)
    for name, model in models.items():
        constants = list(initializers(model))
        assert len(constants) == len(set(constants)), name
        read = {value for node in model.graph.node for value in node.input}
        made = {value for node in model.graph.node for value in node.output}
        assert {tensor.name for tensor in model.graph.initializer} <= read, name
        assert {output.name for output in model.graph.output} <= made, name
        assert {each.name for each in model.graph.input} <= read, name
