"""Multiplications that onnxruntime does for one request, counted from the shapes of every product as it runs."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from service.engine.bundle import Bundle
from service.engine.held import constants

Array = NDArray[Any]
PRODUCTS = ("MatMul", "FusedMatMul", "Gemm")


class Counter:
    """The graphs of a bundle with every value as an output, unoptimised, fed by hand for one request."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle, self.held = bundle, constants(bundle, lambda array: array)

    def encoder(self, history: int) -> int:
        rows = np.arange(1, history + 1, dtype=np.int32)[None]
        codes = self.bundle.catalogue.sids[rows - 1].astype(np.int32)
        return self.count("encoder.onnx", {"codes": codes, "items": rows})

    def context(self, history: int) -> int:
        return self.count("context.onnx", self.encoding(history))

    def scan(self, history: int) -> int:
        banned, slot = np.zeros(self.bundle.trie.nodes, np.bool_), np.zeros((1, 1), np.int32)
        return self.count("scan.onnx", self.encoding(history) | {"banned": banned, "slot": slot, "k": np.array([5])})

    def generator(self, level: int, beams: int, history: int) -> int:
        """Keys and values come from the context graph, so they have its shapes."""
        trie, encoding = self.bundle.trie, self.encoding(history)
        seen = self.values("context.onnx", encoding)
        node = np.resize(np.arange(trie.level_start[level], trie.level_start[level + 1]), beams).astype(np.int32)[None]
        feeds = {"node": node, "log_prob": np.zeros((1, beams), np.float32), "mask": encoding["mask"]}
        feeds |= {"banned": np.zeros(trie.nodes, np.bool_), "slot": np.zeros((1, 1, 1), np.int32)}
        feeds |= {name: value for name, value in seen.items() if name.startswith("decoder_")}
        return self.count(f"generator-{level + 1}.onnx", feeds | {"k_plus": np.array([3])})

    def prm(self, candidates: int) -> int:
        node, log_prob = np.ones((1, candidates), np.int32), np.zeros((1, candidates), np.float32)
        context = np.zeros((1, 1, self.bundle.manifest.dims.width), np.float32)
        feeds = {"node": node, "log_prob": log_prob, "prm_context": context, "k_keep": np.array([1])}
        return self.count("prm.onnx", feeds | {"weight": np.array(1.0, np.float32)})

    def encoding(self, history: int) -> dict[str, Array]:
        memory = np.zeros((1, history, self.bundle.manifest.dims.width), np.float16)
        return {"memory": memory, "mask": np.zeros((1, 1, 1, history), np.float32), "last": np.array([[history - 1]])}

    def values(self, file: str, feeds: dict[str, Array]) -> dict[str, Array]:
        return values_of(onnx.load(self.bundle.path / file), feeds | self.held.get(file, {}))

    def count(self, file: str, feeds: dict[str, Array]) -> int:
        return work(onnx.load(self.bundle.path / file), feeds | self.held.get(file, {}))


def values_of(model: onnx.ModelProto, feeds: dict[str, Array]) -> dict[str, Array]:
    """Every value of a graph by name, constants and inputs included."""
    known = {x.name: onnx.numpy_helper.to_array(x) for x in model.graph.initializer}
    fed = {x.name: feeds[x.name] for x in model.graph.input}
    made = [name for node in model.graph.node for name in node.output if name]
    open_graph = onnx.ModelProto()
    open_graph.CopyFrom(model)
    del open_graph.graph.output[:]
    open_graph.graph.output.extend(onnx.ValueInfoProto(name=name) for name in made)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(open_graph.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return known | fed | dict(zip(made, session.run(made, fed), strict=True))


def work(model: onnx.ModelProto, feeds: dict[str, Array]) -> int:
    """FLOP of all products of a graph."""
    values = values_of(model, feeds)
    shapes = (([values[x] for x in node.input if x], values[node.output[0]]) for node in model.graph.node)
    return sum(2 * multiplications(node.op_type, *each) for node, each in zip(model.graph.node, shapes, strict=True))


def multiplications(op: str, inputs: Sequence[Array], output: Array) -> int:
    """Of one node; the first input of a product is never transposed in our graphs."""
    if op in PRODUCTS:
        return int(output.size * inputs[0].shape[-1])
    if op == "MultiHeadAttention":
        query, key = inputs[0], inputs[1]
        return int(2 * query.size * key.shape[1])
    return 0


def opened(counter: Counter) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """V_1 … V_d and the branching of every level."""
    trie, depth = counter.bundle.trie, counter.bundle.manifest.depth
    starts = np.diff(trie.level_start)[1 : depth + 1]
    return tuple(map(int, starts)), tuple(trie.branching(level) for level in range(depth))
