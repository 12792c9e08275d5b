"""No TopK may read -inf: CUDA kernels fill their rows up with the lowest finite number and rank that above it."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import numpy_helper
from tiny import Bundles

from models import contract
from models.graphs import blocks
from models.graphs.builder import F32, I64, Builder

LOWEST = np.finfo(np.float32).min


def files(bundles: Bundles) -> list[Path]:
    return sorted([*bundles.inner.glob("*.onnx"), *bundles.cross.glob("*.onnx")])


def test_every_topk_reads_scores_lifted_above_the_lowest_number(bundles: Bundles) -> None:
    seen = 0
    for file in files(bundles):
        graph = onnx.load(file).graph
        makers = {name: node for node in graph.node for name in node.output}
        constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        for node in graph.node:
            if node.op_type != "TopK":
                continue
            lifted = makers[node.input[0]]
            assert lifted.op_type == "Max", f"{file.name}: TopK reads {lifted.op_type}"
            (bound,) = (constants[name] for name in lifted.input if name in constants)
            assert LOWEST < bound < -1e30
            seen += 1
    assert seen == 7, "two generators and a PRM in either form, and a scan"


@pytest.mark.parametrize("count", [1, 3, 6])
def test_lifting_leaves_the_order_and_the_values(count: int) -> None:

    b = Builder()
    scores, k = b.input("scores", F32, "B", "C"), b.input("k", I64, 1)
    places = blocks.best(b, scores, k)
    b.output("places", places, I64, 2)
    b.output("values", b("GatherElements", scores, places, axis=1), F32, 2)
    session = ort.InferenceSession(b.model(contract.PRM.file).SerializeToString(), providers=["CPUExecutionProvider"])
    row = np.array([[-np.inf, 2.5, -1e30, -np.inf, 7.0, 2.5]], np.float32)
    found, values = session.run(None, {"scores": row, "k": np.array([count])})
    assert found.tolist() == [[4, 1, 5, 2, 0, 3][:count]]
    assert np.array_equal(values, np.take_along_axis(row, found, axis=1))
