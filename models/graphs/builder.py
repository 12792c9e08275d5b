"""A small writer of ONNX graphs: nodes and constants get their names by themselves, outputs are the contract's."""

from collections.abc import Sequence
from typing import Any, Literal, overload

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from models.graphs.ranges import Ranges

OPSET, IR_VERSION = 20, 10
FUSED = "com.microsoft"  # onnxruntime's own operators, each with a CPU and a CUDA kernel
F32, F16, I32, I64, BOOL = (
    TensorProto.FLOAT,
    TensorProto.FLOAT16,
    TensorProto.INT32,
    TensorProto.INT64,
    TensorProto.BOOL,
)
Value = str  # the name of a tensor in the graph


class Builder:
    """Collects nodes in the order they are asked for; products of maps that have a range are made in integers."""

    def __init__(self, ranges: Ranges | None = None) -> None:
        self.ranges = ranges or {}
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[bytes, onnx.TensorProto] = {}
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._count = 0

    def input(self, name: str, kind: int, *shape: int | str | None) -> Value:
        """A graph input; None and names are free dimensions."""
        self._inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def output(self, name: str, value: Value, kind: int, rank: int) -> None:
        """Let this value leave the graph under this name."""
        self._nodes.append(helper.make_node("Identity", [value], [name]))
        self._outputs.append(helper.make_tensor_value_info(name, kind, [None] * rank))

    def constant(self, array: NDArray[Any] | Tensor | float, dtype: Any = np.float32) -> Value:
        """A tensor inside the graph; equal ones are kept once."""
        values = array.detach().numpy() if isinstance(array, Tensor) else np.asarray(array)
        values = np.ascontiguousarray(values, dtype)
        key = b"%b%r%b" % (str(values.dtype).encode(), values.shape, values.tobytes())
        if key not in self._constants:
            self._constants[key] = numpy_helper.from_array(values, f"c{len(self._constants)}")
        return str(self._constants[key].name)

    def ints(self, *values: int) -> Value:
        """An int64 vector: axes and shapes."""
        return self.constant(np.array(values), np.int64)

    @overload
    def __call__(
        self, op: str, *inputs: Value, outputs: Literal[1] = 1, domain: str = "", **attributes: Any
    ) -> Value: ...

    @overload
    def __call__(self, op: str, *inputs: Value, outputs: int, domain: str = "", **attributes: Any) -> list[Value]: ...

    def __call__(
        self, op: str, *inputs: Value, outputs: int = 1, domain: str = "", **attributes: Any
    ) -> Value | list[Value]:
        """One node; its output, or the list of them where there are several."""
        self._count += 1
        names = [f"{op}{self._count}" + (f".{number}" if outputs > 1 else "") for number in range(outputs)]
        self._nodes.append(helper.make_node(op, list(inputs), names, domain=domain, **attributes))
        return names[0] if outputs == 1 else names

    def fused(self, op: str, *inputs: Value, **attributes: Any) -> Value:
        """One node of onnxruntime's own operators, with one output."""
        return self(op, *inputs, outputs=1, domain=FUSED, **attributes)

    def skip_norm(self, x: Value, skip: Value, weight: Value, bias: Value = "") -> tuple[Value, Value]:
        """(RMS norm of x + skip + bias, x + skip + bias) in one node."""
        self._count += 1
        normed, total = f"Norm{self._count}", f"Sum{self._count}"
        inputs = [x, skip, weight, bias] if bias else [x, skip, weight]
        node = helper.make_node(
            "SkipSimplifiedLayerNormalization", inputs, [normed, "", "", total], domain=FUSED, epsilon=1e-6
        )
        self._nodes.append(node)
        return normed, total

    def reshape(self, x: Value, *shape: int) -> Value:
        """0 keeps a dimension, -1 is what is left."""
        return self("Reshape", x, self.ints(*shape))

    def model(self, name: str) -> onnx.ModelProto:
        """The finished model. onnxruntime checks it as it loads: onnx does not know the fused operators."""
        nodes = _without_identities(self._nodes, {output.name for output in self._outputs})
        graph = helper.make_graph(nodes, name, self._inputs, self._outputs, list(self._constants.values()))
        domains = [helper.make_opsetid("", OPSET), helper.make_opsetid(FUSED, 1)]
        return helper.make_model(graph, opset_imports=domains, ir_version=IR_VERSION, producer_name="promise")


def _without_identities(nodes: Sequence[onnx.NodeProto], outputs: set[str]) -> list[onnx.NodeProto]:
    """Give every output's name to the node that makes it; an Identity stays only where one value leaves twice."""
    names: dict[str, str] = {}
    kept = []
    makers = {name for node in nodes if node.op_type != "Identity" for name in node.output}
    for node in nodes:
        leaves = node.op_type == "Identity" and node.output[0] in outputs
        if leaves and node.input[0] in makers and node.input[0] not in names:
            names[node.input[0]] = node.output[0]
        else:
            kept.append(node)
    for node in kept:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    return kept
