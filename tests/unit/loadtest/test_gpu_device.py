"""The device as its driver's library tells it; the library is a made one, of the same functions."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnxruntime
import pytest
from tiny import Bundles

from loadtest.bench import gpu_device
from loadtest.bench.gpu_device import Busy, NoDeviceError, find_gpu, on_the_cpu, require_cuda
from loadtest.bench.venvs import BenchError
from service.engine.bundle import load


class Driver:
    """Functions of NVML: they return 0 and write through references."""

    def __init__(self, count: int = 1, percents: tuple[int, ...] = (40,), fails: tuple[str, ...] = ()) -> None:
        self.count, self.percents, self.asked = count, percents, 0
        for name in fails:
            setattr(self, name, lambda *_: 3)

    def nvmlInit_v2(self) -> int:  # noqa: N802  # the library's own name
        return 0

    def nvmlDeviceGetCount_v2(self, count: Any) -> int:  # noqa: N802
        count._obj.value = self.count
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, index: int, handle: Any) -> int:  # noqa: N802
        handle._obj.value = 77 + index
        return 0

    def nvmlDeviceGetName(self, handle: Any, name: Any, size: int) -> int:  # noqa: N802
        name.value = f"Made GPU {handle.value}"[:size].encode()
        return 0

    def nvmlSystemGetDriverVersion(self, version: Any, size: int) -> int:  # noqa: N802
        version.value = b"600.12"[:size]
        return 0

    def nvmlDeviceGetUtilizationRates(self, handle: Any, rates: Any) -> int:  # noqa: N802
        assert handle.value == 77
        rates._obj.gpu = self.percents[self.asked % len(self.percents)]
        self.asked += 1
        return 0


def loading(driver: Driver) -> Callable[[str], Driver]:
    def load_library(name: str) -> Driver:
        assert name == gpu_device.NVML
        return driver

    return load_library


def test_the_one_gpu_says_its_name_its_driver_and_how_busy_it_is() -> None:
    gpu = find_gpu(loading(Driver()))
    assert gpu is not None
    assert (gpu.name, gpu.driver, gpu.busy()) == ("Made GPU 77", "600.12", 40)


@pytest.mark.parametrize(
    "driver", [Driver(0), Driver(2), Driver(fails=("nvmlInit_v2",)), Driver(fails=("nvmlDeviceGetHandleByIndex_v2",))]
)
def test_no_gpu_or_one_of_several_is_not_watched(driver: Driver) -> None:
    assert find_gpu(loading(driver)) is None


def test_without_a_driver_there_is_no_gpu() -> None:
    def missing(name: str) -> Any:
        raise OSError(f"{name}: cannot open shared object file")

    assert find_gpu(missing) is None


def test_the_share_is_the_mean_of_the_samples() -> None:
    gpu = find_gpu(loading(Driver(percents=(50, 100))))
    with Busy(gpu, settle_s=0.0) as busy:
        while len(busy.samples) < 4:
            time.sleep(0.01)
    even = busy.samples[: len(busy.samples) // 2 * 2]
    assert sum(even) / len(even) == 75
    assert busy.share == sum(busy.samples) / len(busy.samples) / 100


def test_what_the_counter_saw_before_the_work_does_not_count() -> None:
    driver = Driver()
    with Busy(find_gpu(loading(driver)), settle_s=1e9) as busy:
        while driver.asked < 2:
            time.sleep(0.01)
    assert (busy.samples, busy.share) == ([], None)


def test_a_driver_that_does_not_count_gives_no_share() -> None:
    with Busy(find_gpu(loading(Driver(fails=("nvmlDeviceGetUtilizationRates",)))), settle_s=0.0) as busy:
        time.sleep(2.5 * gpu_device.EVERY_S)
    assert busy.share is None


def test_what_is_missing_is_one_sentence(tmp_path: Path) -> None:
    driver = tmp_path / "nvidiactl"
    with pytest.raises(NoDeviceError, match=r"^no CUDA device here: this onnxruntime .*\.$"):
        require_cuda(lambda: ["CPUExecutionProvider"], str(driver))
    with pytest.raises(NoDeviceError, match=r"^no CUDA device here: .*nvidiactl is missing.*\.$"):
        require_cuda(lambda: ["CUDAExecutionProvider"], str(driver))
    driver.touch()
    require_cuda(lambda: ["CUDAExecutionProvider"], str(driver))
    assert issubclass(NoDeviceError, BenchError), "the command line gives it exit code 2"


def test_graphs_that_cuda_refuses_are_named(bundles: Bundles, monkeypatch: pytest.MonkeyPatch) -> None:
    def session(file: Path, options: Any, providers: list[str]) -> None:
        assert options.get_session_config_entry("session.disable_cpu_ep_fallback") == "1"
        assert providers == ["CUDAExecutionProvider"]
        if file.name in ("prm.onnx", "scan.onnx"):
            raise RuntimeError("a node has no kernel")

    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    assert on_the_cpu(load(bundles.inner)) == ["prm.onnx", "scan.onnx"]
