"""The CUDA image: the same Dockerfile with EXTRAS=gpu; it downloads 1.5 GB. Running on a GPU is for tests/gpu."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from image_build import ROOT, Image, build, mounted, needs
from image_run import Container
from image_size import PACKAGES, table

pytestmark = [pytest.mark.image, pytest.mark.timeout(3600)]
FREE_GB = 25
PROVIDER = "onnxruntime/capi/libonnxruntime_providers_cuda.so"
OPEN = f"""
import ctypes, onnxruntime
onnxruntime.preload_dlls()
try:
    ctypes.CDLL("/{PACKAGES}/{PROVIDER}")
except OSError as error:
    print(error)
"""


@pytest.fixture(scope="module")
def images() -> tuple[Image, Image]:
    """For the CPU and for CUDA."""
    needs()
    free = shutil.disk_usage(ROOT).free / 1e9
    if free < FREE_GB:
        pytest.skip(f"{free:.0f} GB free; building the CUDA image takes {FREE_GB}")
    return build("service"), build("service", EXTRAS="gpu")


@pytest.fixture(scope="module")
def roots(images: tuple[Image, Image]) -> Iterator[tuple[Path, Path]]:
    with mounted(images[0]) as cpu, mounted(images[1]) as cuda:
        yield cpu, cuda


def distributions(root: Path) -> set[str]:
    return {path.name for path in (root / PACKAGES).glob("*.dist-info")}


def locked(name: str) -> set[str]:
    """The dist-info folders that a lock makes."""
    lines = (ROOT / "service" / "locks" / f"{name}.txt").read_text("utf-8").splitlines()[1:]
    pins = (line.split()[0].split("==") for line in lines)
    return {f"{name.replace('-', '_')}-{version}.dist-info" for name, version in pins}


def test_the_argument_adds_the_locked_packages_and_keeps_the_provider(
    images: tuple[Image, Image], roots: tuple[Path, Path]
) -> None:
    cpu, cuda = roots
    sys.stdout.write("\n" + "\n".join(table("CUDA image", cuda)) + f"\n  built in {images[1].seconds:.0f} s\n")
    assert distributions(cpu) - distributions(cuda) == set()
    assert distributions(cuda) - distributions(cpu) == locked("gpu")
    assert not (cpu / PACKAGES / PROVIDER).exists()
    assert (cuda / PACKAGES / PROVIDER).exists()


def test_it_holds_every_library_but_the_drivers(
    images: tuple[Image, Image], roots: tuple[Path, Path], tmp_path: Path
) -> None:
    opened = Container(roots[1], images[1].config, tmp_path / "log").once("python", "-c", OPEN)
    assert opened.stdout.strip() == "libcuda.so.1: cannot open shared object file: No such file or directory"


def test_without_a_gpu_it_serves_on_the_cpu_unless_cuda_is_asked_for(
    images: tuple[Image, Image], roots: tuple[Path, Path], tmp_path: Path
) -> None:
    with Container(roots[1], images[1].config, tmp_path / "auto") as service:
        service.wait()
    with Container(roots[1], images[1].config, tmp_path / "cuda", device="cuda") as service:
        assert service.ended(60) == 2
    assert "no usable CUDA device" in (tmp_path / "cuda").read_text("utf-8")
