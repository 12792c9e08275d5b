"""The same engine without its PRM: a plain beam at its own price, the context graph without the PRM."""

from collections.abc import Mapping
from copy import copy
from typing import Any

import numpy as np
import onnxruntime as ort
from onnx.utils import Extractor

from models import contract
from models.contract import GraphSignature
from service.engine.graphs import OnnxEngine
from service.engine.held import constants
from service.engine.sessions import Graph, put


def without_prm(engine: OnnxEngine) -> OnnxEngine:
    """A CPU engine over the same sessions whose context graph computes nothing for the PRM: for plain beams only."""
    plain = copy(engine)
    plain._context = _Context(engine)  # type: ignore[assignment]  # the engine asks for a call and `outputs`
    return plain


class _Context:
    """The context graph cut down to the first level and the decoder's keys and values."""

    def __init__(self, engine: OnnxEngine) -> None:
        import onnx

        kept = tuple(name for name in engine._context.outputs if name != "reward" and not name.startswith("prm_"))
        path = engine.bundle.graph(contract.CONTEXT)
        inputs = [name for name in contract.CONTEXT.inputs if name != "first_rows"]
        small = Extractor(onnx.load(path)).extract_model(inputs, list(kept))
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = ort.InferenceSession(small.SerializeToString(), options, providers=["CPUExecutionProvider"])
        held = constants(engine.bundle, lambda array: put(array, "cpu"))[contract.CONTEXT.file]
        signature = GraphSignature("", tuple(inputs), kept)
        self._graph = Graph(session, signature, "cpu", {name: held[name] for name in held if name in inputs})
        self._width = int(engine.trie.level_start[2]) - 1
        self.outputs = (*kept, "reward")

    def __call__(self, inputs: Mapping[str, Any]) -> list[Any]:
        batch = inputs["last"].shape()[0]
        return [*self._graph(inputs), put(np.zeros((batch, self._width), np.float32), "cpu")]
