"""Every node of every graph has a kernel on a CUDA device for the types it is given; without a device at hand."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from cuda_kernels import FUSED, HOST_INPUTS, KERNELS, ON_HOST, OPSET
from made_corrected import made_correction
from made_voted import made_votes
from onnx import NodeProto, TensorProto, helper
from tiny import SIZES, Bundles, made_network

from models import export
from models.contract import Form
from models.graphs import builder
from models.graphs.correction import correction_graph
from models.graphs.extend import extend_graph
from models.graphs.generator import generator_graph
from models.graphs.votes import votes_graph
from service.engine.bundle import read_manifest
from service.engine.sessions import signatures

SHIPPED = Path(__file__).resolve().parents[4] / "models" / "bundles" / "beauty"
NAMES = {
    TensorProto.FLOAT: "float",
    TensorProto.FLOAT16: "float16",
    TensorProto.INT32: "int32",
    TensorProto.INT64: "int64",
    TensorProto.BOOL: "bool",
}
CODES = {name: code for code, name in NAMES.items()}
Op = tuple[str, str]


@dataclass(frozen=True)
class Typed:
    """A graph's nodes with the element types of their inputs, and where small integers may come from."""

    name: str
    nodes: Sequence[tuple[NodeProto, tuple[str, ...]]]
    types: dict[str, str]
    hosted: frozenset[str]


def op_of(node: NodeProto) -> Op:
    return node.domain, node.op_type


def typed(name: str, model: onnx.ModelProto) -> Typed:
    """Types from inputs and constants on; an operator's first outputs have the type of what it works on."""
    types = {each.name: NAMES[each.type.tensor_type.elem_type] for each in model.graph.input}
    hosted = {each for each, kind in types.items() if kind == "int64"}
    types |= {tensor.name: NAMES[tensor.data_type] for tensor in model.graph.initializer}
    hosted |= {tensor.name for tensor in model.graph.initializer}
    nodes = []
    for node in model.graph.node:
        given = tuple(types[each] for each in node.input if each)
        nodes.append((node, given))
        types |= {out: kind for out, kind in zip(node.output, produced(node, given), strict=False) if out}
        hosted |= set(node.output) if op_of(node) in ON_HOST else set()
    return Typed(name, nodes, types, frozenset(hosted))


def produced(node: NodeProto, given: tuple[str, ...]) -> list[str]:
    if node.op_type == "Cast":
        return [NAMES[node.attribute[0].i]]
    if node.op_type == "TopK":
        return [given[0], "int64"]
    kind = {"Shape": "int64", "Where": given[-1]} | dict.fromkeys(("Equal", "Greater", "GreaterOrEqual"), "bool")
    return [kind.get(node.op_type, given[0])] * len(node.output)


def without_kernel(graph: Typed) -> Iterator[str]:
    """What a CUDA session could not run where the tensors are."""
    for node, given in graph.nodes:
        if op_of(node) in ON_HOST:
            continue
        if op_of(node) not in KERNELS:
            yield f"{graph.name}: {node.op_type} has no CUDA kernel"
            continue
        wanted = KERNELS[op_of(node)]
        for place, kind in enumerate(given):
            if kind not in wanted[min(place, len(wanted) - 1)]:
                yield f"{graph.name}: {node.op_type} has no CUDA kernel for {kind} as input {place}"


def from_the_device(graph: Typed) -> Iterator[str]:
    """Inputs that would be copied back to the host in the middle of a graph."""
    for node, _ in graph.nodes:
        for place in HOST_INPUTS.get(op_of(node), ()):
            if place < len(node.input) and node.input[place] and node.input[place] not in graph.hosted:
                yield f"{graph.name}: {node.op_type} wants input {place} on the host"


@pytest.fixture(scope="module")
def models(bundles: Bundles) -> dict[str, onnx.ModelProto]:
    """The shipped bundle, both forms of a small one, and what other sizes and choices bring in."""
    folders = {"beauty": SHIPPED, "inner": bundles.inner, "cross": bundles.cross}
    found = {f"{name}/{path.name}": onnx.load(path) for name, each in folders.items() for path in each.glob("*.onnx")}
    unfolded = replace(SIZES, history=60, cross_heads=2, activation="relu")
    network = made_network(30, forms=("inner", "cross"), depth=4, sizes=unfolded)
    for form in get_args(Form):
        found |= {f"other {form}/{file}": model for file, model in export.graphs(network, form)}
    with torch.no_grad():
        found["gathered"] = generator_graph(network, 2, gathered=True)
        found["extend"] = extend_graph(network)
        found["votes"] = votes_graph(made_votes().model)
        corrected = made_correction(30)
        found["correction"] = correction_graph(corrected.model, corrected.relations.groups)
    return found


@pytest.fixture(scope="module")
def graphs(models: dict[str, onnx.ModelProto]) -> list[Typed]:
    return [typed(name, model) for name, model in models.items()]


def test_every_operator_runs_where_its_tensors_are(graphs: list[Typed]) -> None:
    assert [line for graph in graphs for line in without_kernel(graph)] == []


def test_nothing_is_copied_back_to_the_host_within_a_graph(graphs: list[Typed]) -> None:
    assert [line for graph in graphs for line in from_the_device(graph)] == []


def test_all_graphs_are_looked_at_and_the_table_holds_nothing_else(graphs: list[Typed]) -> None:
    facts = read_manifest(SHIPPED)
    shipped = {f"beauty/{graph.file}" for graph in signatures(facts)}
    assert {graph.name for graph in graphs if graph.name.startswith("beauty/")} == shipped
    used = {op_of(node) for graph in graphs for node, _ in graph.nodes}
    assert used | {("", "Identity")} == {*KERNELS, *ON_HOST}  # one value that leaves twice would need an Identity


def test_the_table_was_read_for_the_operator_set_in_use(models: dict[str, onnx.ModelProto]) -> None:
    assert builder.OPSET == OPSET
    for model in models.values():
        assert {each.domain: each.version for each in model.opset_import} == {"": OPSET, FUSED: 1}


def test_the_types_are_those_that_the_runtime_finds(models: dict[str, onnx.ModelProto]) -> None:
    """It refuses a graph whose outputs it knows to be of another type; so let every tensor be an output."""
    for name, model in models.items():
        whole = onnx.ModelProto()
        whole.CopyFrom(model)
        graph, there = typed(name, model), {each.name for each in model.graph.output}
        inner = {out for node, _ in graph.nodes for out in node.output if out} - there
        whole.graph.output.extend(helper.make_tensor_value_info(out, CODES[graph.types[out]], None) for out in inner)
        session = ort.InferenceSession(whole.SerializeToString(), providers=["CPUExecutionProvider"])
        found = {each.name: each.type for each in session.get_outputs()}
        assert found == {out: f"tensor({graph.types[out]})" for out in inner | there}, name


def test_what_has_no_kernel_is_found() -> None:
    b = builder.Builder()
    x, mask, where = b.input("x", builder.I32, "B", "T"), b.input("m", builder.BOOL, "B"), b.input("k", builder.I32, 1)
    b.output("a", b("GatherND", x, b.constant(np.zeros((2, 1)), "int64")), builder.I32, 1)
    b.output("b", b("Where", mask, mask, mask), builder.BOOL, 1)
    b.output("c", b("NonZero", mask), builder.I64, 2)
    b.output("d", b("Reshape", x, b("Cast", where, to=builder.I64)), builder.I32, 1)
    graph = typed("bad", b.model("bad"))
    assert list(without_kernel(graph)) == [
        "bad: GatherND has no CUDA kernel for int32 as input 0",
        "bad: Where has no CUDA kernel for bool as input 1",
        "bad: Where has no CUDA kernel for bool as input 2",
        "bad: NonZero has no CUDA kernel",
    ]
    assert list(from_the_device(graph)) == ["bad: Reshape wants input 1 on the host"]
