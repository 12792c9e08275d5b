"""The image that the Dockerfile makes: built without a daemon, started, healthy, asked, stopped, weighed."""

import json
import signal
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from image_build import ROOT, Image, build, mounted, needs
from image_run import Container
from image_size import MB, PACKAGES, by_package, table, weigh

from service.settings import Settings

pytestmark = [pytest.mark.image, pytest.mark.timeout(1800)]
LIMIT_MB = 900
HISTORY = {"history": ["B001NM85Q0", "B006ZUNMLS"], "k": 5}
BUILDERS = ("pip", "gcc", "cc", "make", "git", "curl")
GRACE_S = float(Settings.model_fields["drain_s"].default + Settings.model_fields["grace_s"].default)


@pytest.fixture(scope="module")
def image() -> Image:
    needs()
    return build("service")


@pytest.fixture(scope="module")
def root(image: Image) -> Iterator[Path]:
    with mounted(image) as folder:
        yield folder


@pytest.fixture(scope="module")
def service(image: Image, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    with Container(root, image.config, tmp_path_factory.mktemp("service") / "log") as started:
        started.wait()
        yield started


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def test_it_says_what_it_is(image: Image) -> None:
    config = image.config
    labels = {key.rpartition(".")[2]: value for key, value in config["Labels"].items() if "opencontainers" in key}
    assert labels["version"] == tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert labels["title"] == "Promise"
    assert (config["User"], config["StopSignal"]) == ("10001:10001", "SIGTERM")
    assert config["Cmd"] == ["python", "-m", "service"]
    assert list(config["ExposedPorts"]) == ["8000/tcp"]


def test_it_weighs_no_more_than_it_may(image: Image, root: Path) -> None:
    say("\n" + "\n".join(table("CPU image", root)))
    say(f"  built in {image.seconds:.0f} s")
    assert weigh(root) / MB <= LIMIT_MB
    assert next(iter(by_package(root))) == "numpy", "the heaviest package; onnxruntime has lost its CUDA provider"


def test_it_holds_no_training_tools_no_builders_and_no_caches(root: Path, service: Container) -> None:
    found = "import importlib.util as u; print([n for n in ('torch','pip','setuptools','pytest') if u.find_spec(n)])"
    assert service.run("python", "-c", found).stdout.strip() == "[]"
    for name in BUILDERS:
        assert service.run("sh", "-c", f"command -v {name}").returncode != 0, name
    assert not (root / "root" / ".cache").exists()
    assert not list((root / "var/lib/apt/lists").iterdir())
    assert not list((root / PACKAGES).rglob("libonnxruntime_providers_[ct]*"))


def test_every_module_is_compiled(root: Path) -> None:
    for folder in ("service", "models", "fastapi"):
        sources = [path for path in (root / PACKAGES / folder).rglob("*.py") if "__pycache__" not in path.parts]
        compiled = [path.parent / "__pycache__" / f"{path.stem}.cpython-311.pyc" for path in sources]
        assert sources
        assert all(path.read_bytes()[4] == 1 for path in compiled), (
            "by the content of its source, unchecked at run time"
        )


def test_it_starts_healthy_without_privileges(image: Image, root: Path, tmp_path: Path) -> None:
    started = time.monotonic()
    with Container(root, image.config, tmp_path / "log") as service:
        assert not service.healthy(), "nobody listens yet"
        service.wait()
        say(f"\n  healthy after {time.monotonic() - started:.1f} s")
        status = dict(line.split(":\t", 1) for line in Path(f"/proc/{service.pid}/status").read_text().splitlines())
        assert status["Uid"].split() == ["10001"] * 4
        assert (status["NSpid"].split()[1], status["NoNewPrivs"]) == ("1", "1")
        assert int(status["CapEff"], 16) == 0
        assert service.run("touch", "/srv/x").returncode != 0, "its root is read-only"
        inside = Path(f"/proc/{service.pid}")
    assert not inside.exists(), "what these tests start ends with them"


def test_it_answers(service: Container) -> None:
    status, body = service.call("/recommend", HISTORY)
    assert status == 200
    assert len(json.loads(body)["items"]) == 5
    assert b"<!doctype html>" in service.call("/")[1][:200].lower()
    assert b"promise_requests_total" in service.call("/metrics")[1]
    assert service.call("/recommend", {"k": 0})[0] == 422


def test_its_log_is_json_only(service: Container) -> None:
    events = [json.loads(line)["event"] for line in service.log.read_text("utf-8").splitlines()]
    assert "serving" in events


def test_its_command_line_works(service: Container) -> None:
    assert "recommend" in service.run("promise", "--help").stdout.lower()


def test_sigterm_drains_and_ends_it_within_its_grace(image: Image, root: Path, tmp_path: Path) -> None:
    with Container(root, image.config, tmp_path / "log", drain_s=2) as service:
        service.wait()
        told = time.monotonic()
        service.terminate()
        while service.healthy():
            assert time.monotonic() - told < 2, "not ready while it drains"
        assert service.call("/recommend", HISTORY)[0] == 200, "but it still answers"
        code = service.ended(GRACE_S)
        say(f"\n  exit code {code}, {time.monotonic() - told:.1f} s after SIGTERM with a drain of 2 s")
        assert code in (0, 128 + signal.SIGTERM), "as PID 1; 143 where the signal ends it in the end"
    assert "Application shutdown complete." in service.log.read_text("utf-8")


@pytest.mark.parametrize(
    ("pretended", "sentence"), [("", "no usable CUDA device"), ("nvidiactl", "promise-recommender[gpu]")]
)
def test_cuda_is_refused_in_one_sentence(
    image: Image, root: Path, tmp_path: Path, pretended: str, sentence: str
) -> None:
    with Container(root, image.config, tmp_path / "log", pretended, device="cuda") as service:
        assert service.ended(60) == 2
    assert sentence in service.log.read_text("utf-8").splitlines()[-1]


def test_auto_falls_back_to_the_cpu_on_a_host_with_a_gpu(image: Image, root: Path, tmp_path: Path) -> None:
    with Container(root, image.config, tmp_path / "log", "nvidiactl") as service:
        service.wait()
        assert service.call("/recommend", HISTORY)[0] == 200
    assert "serving on the CPU" in service.log.read_text("utf-8")


def test_locust_comes_from_the_same_dockerfile(service: Container, tmp_path: Path) -> None:
    loadtest = build("loadtest")
    with mounted(loadtest) as folder:
        say("\n" + "\n".join(table("Load test image", folder)[:5]))
        tester = Container(folder, loadtest.config, tmp_path / "log")
        command = [*loadtest.config["Cmd"], "--host", f"http://127.0.0.1:{service.port}"]
        headless = ["--headless", "-u", "4", "-r", "4", "-t", "5s", "--max-p95-ms", "5000", "--max-p99-ms", "9000"]
        ended = tester.once(*command, *headless)
    assert ended.returncode == 0, ended.stdout + ended.stderr
