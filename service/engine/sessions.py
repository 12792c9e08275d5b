"""Sessions of onnxruntime: on which device they run, and one graph with its constant inputs bound."""

import logging
import os
import re
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from models import contract
from models.contract import GraphSignature
from models.manifest import Manifest
from service.engine.bundle import Bundle, BundleError
from service.errors import StartError

Device = Literal["auto", "cpu", "cuda"]
Chosen = Literal["cpu", "cuda"]
NO_CUDA = (
    "onnxruntime could not make a CUDA session on this machine; the extra promise-recommender[gpu] may be missing."
)
NO_RUN = "The CUDA session opens but cannot run ({reason}); the extra promise-recommender[gpu] holds what it needs."
NO_INTEGERS = "{tag} has 8-bit products, which only run on the CPU; serve the bundle it was made from on CUDA."
NO_MEMORY = re.compile("bad_alloc|Failed to allocate|out of memory|CUBLAS_STATUS_ALLOC_FAILED", re.IGNORECASE)
REGION = 32 << 20  # bytes: the heap gives so large a piece pages of its own (service.memory)
ARENA = {"arena_extend_strategy": 0, "initial_chunk_size_bytes": REGION, "max_power_of_two_extend_bytes": REGION}
log = logging.getLogger(__name__)


class DeviceError(StartError):
    """The device that was asked for is not there; never a silent fallback to another one."""

    slug = "no-device"
    title = "The device is not available"


def share_arena() -> None:
    """Let the sessions of this process put what a run needs in between into one arena; before the first opens, once.

    It keeps the most that any one batch needed. Taken from the heap, the same would lie wherever a bundle that was let
    go left room, and the process would grow with every change. Called again, sessions that open from then on share
    another one.
    """
    info = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    ort.create_and_register_allocator(info, ort.OrtArenaCfg(ARENA))


def choose_device(wanted: Device) -> Chosen:
    """`auto` takes CUDA where its provider and a device are present; `cuda` fails loudly where they are not."""
    if wanted == "cpu":
        return "cpu"
    usable = "CUDAExecutionProvider" in ort.get_available_providers() and os.path.exists("/dev/nvidiactl")
    if wanted == "cuda" and not usable:
        raise DeviceError("PROMISE_DEVICE=cuda, but this machine has no usable CUDA device; set auto or cpu instead.")
    if usable:
        ort.preload_dlls()
    return "cuda" if usable else "cpu"


def signatures(manifest: Manifest) -> tuple[GraphSignature, ...]:
    """The graphs of a bundle, as its sizes and its form of the PRM make them."""
    dims = manifest.dims
    more = manifest.correction is not None, manifest.votes is not None
    graphs = contract.graphs(dims.decoder_layers, manifest.depth, manifest.prm, *more)
    return (*graphs, contract.extend(dims.encoder_layers)) if contract.EXTEND.file in manifest.files else graphs


def open_sessions(bundle: Bundle, wanted: Device, threads: int) -> tuple[Chosen, dict[str, Any]]:
    """The device and a session per graph file.

    Raises:
        DeviceError: `cuda` was asked for and no CUDA session can be made.
        BundleError: a graph cannot be opened or is not of the contract's signature.
    """
    device = choose_device(wanted)
    graphs = signatures(bundle.manifest)
    try:
        if device == "cuda" and bundle.manifest.precision == "int8":
            raise DeviceError(NO_INTEGERS.format(tag=bundle.manifest.tag))
        sessions = {graph.file: _session(bundle, graph, device, threads) for graph in graphs}
        if device == "cuda":
            try_out(sessions[contract.ENCODER.file], bundle.manifest)
        return device, sessions
    except DeviceError as error:
        if wanted == "cuda":
            raise
        log.warning("serving on the CPU: %s", error.detail)
        return "cpu", {graph.file: _session(bundle, graph, "cpu", threads) for graph in graphs}


def try_out(encoder: Any, manifest: Manifest) -> None:
    """Encode one padding item: cuDNN is looked for by the first run that wants it, not when a session opens.

    Raises:
        DeviceError: the run fails.
    """
    item = np.zeros((1, 1), np.int32)
    codes, rows = np.zeros((1, 1, manifest.depth), np.int32), np.zeros((1, manifest.dims.width), np.float16)
    try:
        encoder.run(None, {"codes": codes, "items": item, "item_rows": rows})
    except Exception as error:  # onnxruntime raises its own unexported types
        reason = str(error).splitlines()[0].rpartition(" : ")[2]
        raise DeviceError(NO_RUN.format(reason=reason)) from error


def _session(bundle: Bundle, signature: GraphSignature, device: Chosen, threads: int) -> Any:
    file = bundle.graph(signature)
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    # An arena a session keeps the most it ever needed: every graph of every version that rollback may return to.
    # All of them take from the process's one instead, or where there is none from the heap; weights from the heap.
    options.enable_cpu_mem_arena = False
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.add_session_config_entry("session.use_device_allocator_for_initializers", "1")
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
    if (set(names[0]), set(names[1])) != (set(signature.inputs), set(signature.outputs)):
        raise BundleError(
            f"{file}: its inputs and outputs are not those of contract version {contract.CONTRACT_VERSION}."
        )
    return session


def run_options() -> Any:
    """Shared by the graphs of an engine, so that all of them can be told to end."""
    return ort.RunOptions()


def put(array: NDArray[Any], device: Chosen) -> Any:
    """A device tensor of this array; on the CPU it is the array itself, which must not change afterwards."""
    whole = array if array.flags.c_contiguous else array.copy()  # a scalar stays one
    return ort.OrtValue.ortvalue_from_numpy(whole, device, 0)


class Graph:
    """One session with a binding of its own: inputs stay bound until others take their names.

    Binding is a third of the cost of passing a dictionary: 32 µs a call against 114 with 14 inputs.
    """

    def __init__(
        self, session: Any, signature: GraphSignature, device: Chosen, constants: Mapping[str, Any], options: Any = None
    ) -> None:
        self._session, self.outputs, self._device = session, signature.outputs, device
        self._options = options
        self._binding = session.io_binding()
        self._state: object = None
        self._bind(constants)

    def over(self, state: object, inputs: Mapping[str, Any]) -> None:
        """Inputs for the following calls, bound only where the last ones did not belong to the same state."""
        if state != self._state:
            self._bind(inputs)
            self._state = state

    def _bind(self, inputs: Mapping[str, Any]) -> None:
        for name, value in inputs.items():
            self._binding.bind_ortvalue_input(name, value)

    def __call__(self, inputs: Mapping[str, Any]) -> list[Any]:
        """Outputs in the order of the signature, on the device.

        Raises:
            MemoryError: there was not enough for this batch; the session can be used again.
        """
        self._bind(inputs)
        for name in self.outputs:  # anew each time, else the next call writes over what this one returned
            self._binding.bind_output(name, self._device)
        try:
            self._session.run_with_iobinding(self._binding, self._options)
        except Exception as error:  # onnxruntime raises its own unexported types
            if NO_MEMORY.search(str(error)):
                raise MemoryError("a graph found too little memory") from error
            raise
        return list(self._binding.get_outputs())
