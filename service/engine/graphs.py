"""The ONNX engine: four sessions over one bundle; tensors stay on the device between calls (design sections 3, 10).

The tables and trie arrays become device tensors once; the beam travels from graph to graph as handles.
"""

import logging
import os
from copy import copy
from typing import Any, Literal, Self

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from models import contract
from models.contract import GraphSignature
from service.engine.bundle import Bundle, BundleError
from service.engine.protocol import F16, F32, I32, Beams, Bool, Context, Expansion, Pruned, Tensor
from service.errors import StartError

Device = Literal["auto", "cpu", "cuda"]
NO_CUDA = (
    "onnxruntime could not make a CUDA session on this machine; the extra promise-recommender[gpu] may be missing."
)
log = logging.getLogger(__name__)


class DeviceError(StartError):
    """The device that was asked for is not there; never a silent fallback to another one."""

    slug = "no-device"
    title = "The device is not available"


class OnnxEngine:
    """service.engine.protocol.Engine over onnxruntime. One thread owns it: sessions share one stream.

    Raises:
        DeviceError: `cuda` was asked for and no CUDA session can be made.
        BundleError: a graph cannot be opened or is not of the contract's signature.
    """

    def __init__(self, bundle: Bundle, device: Device = "auto", threads: int = 1) -> None:
        self.device = choose_device(device)
        try:
            self._sessions = _sessions(bundle, self.device, threads)
        except DeviceError as error:
            if device == "cuda":
                raise
            log.warning("serving on the CPU: %s", error.detail)
            self.device = "cpu"
            self._sessions = _sessions(bundle, "cpu", threads)
        self.providers = tuple(self._sessions[contract.ENCODER.file].get_providers())
        self._hold(bundle)

    def over(self, bundle: Bundle) -> Self:
        """An engine over a revision of this bundle: the sessions are shared, only trie and tables are its own.

        Raises:
            ValueError: the bundle has other graphs.
        """
        if any(bundle.manifest.files[name] != self.bundle.manifest.files[name] for name in self._sessions):
            raise ValueError(f"{bundle.manifest.tag} has other graphs than {self.model_version}")
        other = copy(self)
        other._hold(bundle)
        return other

    def _hold(self, bundle: Bundle) -> None:
        """Take the bundle's arrays to the device."""
        self.bundle, self.trie = bundle, bundle.trie
        self.depth, self.model_version = bundle.manifest.depth, bundle.manifest.tag
        self.history_limit, self.has_scan = bundle.manifest.dims.history, bundle.manifest.exact
        tables, trie = bundle.tables, bundle.trie
        self._item_rows, self._node_rows = self._put(tables.item_rows), self._put(tables.node_rows)
        self._leaf_rows = self._put(tables.node_rows[trie.first_leaf :]) if self.has_scan else None
        self._first_child, self._code = self._put(trie.first_child), self._put(trie.code)
        self._widths = [trie.branching(level) for level in range(self.depth)]

    def encode(self, codes: I32, items: I32, lengths: I32) -> F16:
        """Encode histories: codes [B,T,d], items [B,T], lengths [B] → memory [B,T,D] on the host, for the cache."""
        feeds = {"codes": self._put(codes), "items": self._put(items), "lengths": self._put(lengths)}
        (memory,) = self._run(contract.ENCODER, feeds | {"item_rows": self._item_rows})
        encoded: F16 = memory.numpy()
        return encoded

    def context(self, memory: F16, lengths: I32, allowed: Bool) -> Context:
        """Put a batch of encodings and its legality masks [B,N] on the device."""
        return Context(self._put(memory), self._put(lengths), self._put(allowed), len(lengths))

    def root(self, batch: int) -> Beams:
        """The trie's root with log-probability 0, one row a request."""
        node = np.zeros((batch, 1), np.int32)
        prefix = np.full((batch, 1, self.depth), -1, np.int32)
        return Beams(self._put(node), self._put(prefix), self._put(np.zeros((batch, 1), np.float32)), 1)

    def beams(self, node: I32, prefix: I32, log_prob: F32) -> Beams:
        """Prefixes chosen on the host, put on the device."""
        return Beams(self._put(node), self._put(prefix), self._put(log_prob), node.shape[1])

    def expand(self, context: Context, beams: Beams, level: int, k_plus: int) -> Expansion:
        """The k_plus most probable legal children; fewer only where the beams cannot have so many."""
        width = self._widths[level]
        count = min(k_plus, beams.width * width)
        feeds = {
            "memory": context.memory,
            "lengths": context.lengths,
            "node": beams.node,
            "prefix": beams.prefix,
            "log_prob": beams.log_prob,
            "first_child": self._first_child,
            "code": self._code,
            "allowed": context.allowed,
            "level": self._scalar(level),
            "width": self._scalar(width),
            "k_plus": self._scalar(count),
        }
        node, prefix, log_prob, parent = self._run(contract.GENERATOR, feeds)
        return Expansion(Beams(node, prefix, log_prob, count), parent)

    def prune(self, context: Context, children: Beams, level: int, k_keep: int, weight: float) -> Pruned:
        """The k_keep children of highest reward + weight · log-probability."""
        count = min(k_keep, children.width)
        feeds = {
            "memory": context.memory,
            "lengths": context.lengths,
            "node": children.node,
            "prefix": children.prefix,
            "log_prob": children.log_prob,
            "node_rows": self._node_rows,
            "level": self._scalar(level),
            "k_keep": self._scalar(count),
            "weight": self._put(np.array(weight, np.float32)),
        }
        order, node, prefix, log_prob, reward, rewards = self._run(contract.PRM, feeds)
        return Pruned(Beams(node, prefix, log_prob, count), order, reward, rewards)

    def scan(self, context: Context, k: int) -> tuple[I32, F32] | None:
        """Exact ranking of all leaves: nodes int32 and rewards [B,k]; None where the PRM's form forbids it."""
        if self._leaf_rows is None:
            return None
        count = min(k, self.trie.nodes - self.trie.first_leaf)
        feeds = {"memory": context.memory, "lengths": context.lengths, "leaf_rows": self._leaf_rows}
        leaf, reward = self._run(contract.SCAN, feeds | {"allowed": context.allowed, "k": self._scalar(count)})
        nodes: I32 = leaf.numpy() + np.int32(self.trie.first_leaf)
        return nodes, reward.numpy()

    def _put(self, array: NDArray[Any]) -> Any:
        return ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array), self.device, 0)

    def _scalar(self, value: int) -> Tensor:
        # Shapes and counts are read by the host side of a graph, also when the rest of it runs on a GPU.
        scalar: Tensor = ort.OrtValue.ortvalue_from_numpy(np.array(value, np.int64), "cpu", 0)
        return scalar

    def _run(self, signature: GraphSignature, feeds: dict[str, Any]) -> list[Any]:
        session = self._sessions[signature.file]
        if self.device == "cpu":
            outputs: list[Any] = session.run_with_ort_values(signature.outputs, feeds)
            return outputs
        binding = session.io_binding()
        for name, value in feeds.items():
            binding.bind_ortvalue_input(name, value)
        for name in signature.outputs:
            binding.bind_output(name, self.device)
        session.run_with_iobinding(binding)
        return list(binding.get_outputs())


def choose_device(wanted: Device) -> Literal["cpu", "cuda"]:
    """`auto` takes CUDA where its provider and a device are present; `cuda` fails loudly where they are not."""
    if wanted == "cpu":
        return "cpu"
    usable = "CUDAExecutionProvider" in ort.get_available_providers() and os.path.exists("/dev/nvidiactl")
    if wanted == "cuda" and not usable:
        raise DeviceError("PROMISE_DEVICE=cuda, but this machine has no usable CUDA device; set auto or cpu instead.")
    if usable:
        ort.preload_dlls()
    return "cuda" if usable else "cpu"


def _sessions(bundle: Bundle, device: str, threads: int) -> dict[str, Any]:
    offered = [graph for graph in contract.GRAPHS if graph is not contract.SCAN or bundle.manifest.exact]
    return {graph.file: _session(bundle, graph, device, threads) for graph in offered}


def _session(bundle: Bundle, signature: GraphSignature, device: str, threads: int) -> Any:
    file = bundle.graph(signature)
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    # Sleeping between requests beats spinning: the cores belong to whatever runs beside us.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Full float32 products: with TF32 a GPU and a CPU would rank near ties differently.
    cuda = ("CUDAExecutionProvider", {"arena_extend_strategy": "kSameAsRequested", "use_tf32": "0"})
    providers = [cuda, "CPUExecutionProvider"] if device == "cuda" else ["CPUExecutionProvider"]
    try:
        session = ort.InferenceSession(file, options, providers=providers)
    except Exception as error:  # onnxruntime raises its own unexported types
        if device == "cuda":
            raise DeviceError(NO_CUDA) from error
        raise BundleError(f"{file}: not a graph this runtime can open ({str(error).splitlines()[0][:200]}).") from error
    if device == "cuda" and "CUDAExecutionProvider" not in session.get_providers():
        raise DeviceError(NO_CUDA)
    names = tuple(i.name for i in session.get_inputs()), tuple(o.name for o in session.get_outputs())
    if names != (signature.inputs, signature.outputs):
        raise BundleError(
            f"{file}: its inputs and outputs are not those of contract version {contract.CONTRACT_VERSION}."
        )
    return session
