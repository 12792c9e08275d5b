"""The CUDA device as its driver describes it, and the share of time in which it was busy.

The share is the driver's own counter (NVML, the one nvidia-smi prints): in how much of the last sampling period at
least one kernel ran. It is an upper bound of the device's work, since one small kernel counts like a full one. The
profiler of onnxruntime cannot do better: the packaged build has no CUPTI, so its times are those of the host.
"""

import ctypes
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import onnxruntime as ort

from loadtest.bench.venvs import BenchError
from service.engine.bundle import Bundle
from service.engine.sessions import signatures

NVML = "libnvidia-ml.so.1"
DRIVER = "/dev/nvidiactl"
SETTLE_S = 1.0  # the counter looks back as far as this
EVERY_S = 0.1


class NoDeviceError(BenchError):
    """There is no CUDA device to measure; the message is one sentence."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"no CUDA device here: {reason}")


def require_cuda(providers: Callable[[], list[str]] = ort.get_available_providers, driver: str = DRIVER) -> None:
    """Raises NoDeviceError: this onnxruntime was built without CUDA, or the machine has no driver for it."""
    if "CUDAExecutionProvider" not in providers():
        raise NoDeviceError("this onnxruntime was built without the CUDA provider (onnxruntime-gpu has it).")
    if not os.path.exists(driver):
        raise NoDeviceError(f"{driver} is missing, so no NVIDIA driver is loaded.")


def on_the_cpu(bundle: Bundle) -> list[str]:
    """Files of the graphs that CUDA cannot run whole: onnxruntime refuses to open them without the CPU's help."""
    refused = []
    for graph in signatures(bundle.manifest):
        options = ort.SessionOptions()
        options.log_severity_level = 4
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        try:
            ort.InferenceSession(bundle.graph(graph), options, providers=["CUDAExecutionProvider"])
        except Exception:  # onnxruntime raises its own unexported types; the engine has opened these graphs before
            refused.append(graph.file)
    return refused


class _Rates(ctypes.Structure):
    _fields_ = (("gpu", ctypes.c_uint), ("memory", ctypes.c_uint))


@dataclass(frozen=True)
class Gpu:
    """One GPU in the driver's library. busy() is a percentage, or None where the driver does not tell."""

    library: Any
    handle: Any
    name: str
    driver: str

    def busy(self) -> int | None:
        rates = _Rates()
        failed = self.library.nvmlDeviceGetUtilizationRates(self.handle, ctypes.byref(rates))
        return None if failed else int(rates.gpu)


def find_gpu(load: Callable[[str], Any] = ctypes.CDLL) -> Gpu | None:
    """The machine's GPU; None without a driver, or with several GPUs, of which ours may be any."""
    try:
        library = load(NVML)
    except OSError:
        return None
    count, handle = ctypes.c_uint(), ctypes.c_void_p()
    if library.nvmlInit_v2() or library.nvmlDeviceGetCount_v2(ctypes.byref(count)) or count.value != 1:
        return None
    if library.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(handle)):
        return None
    name, driver = ctypes.create_string_buffer(96), ctypes.create_string_buffer(96)
    library.nvmlDeviceGetName(handle, name, 96)
    library.nvmlSystemGetDriverVersion(driver, 96)
    return Gpu(library, handle, name.value.decode(), driver.value.decode())


@dataclass
class Busy:
    """Samples a GPU's counter in a thread of its own while the context lasts; the first SETTLE_S do not count."""

    gpu: Gpu | None
    settle_s: float = SETTLE_S
    samples: list[int] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        until = time.monotonic() + self.settle_s
        while self.gpu and not self._over.wait(EVERY_S):
            percent = self.gpu.busy()
            if percent is not None and time.monotonic() >= until:
                self.samples.append(percent)

    @property
    def share(self) -> float | None:
        """0 to 1, the mean of the samples; None where there are none."""
        return sum(self.samples) / len(self.samples) / 100 if self.samples else None
