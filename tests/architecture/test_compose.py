"""docker-compose.yml against the specification's schema, the settings, the Dockerfile and the files that it mounts."""

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from containers import ROOT, compose, default_of, environment, exec_form, last, mounts, stages

from service.experiments.config import Experiments
from service.settings import Settings

GPU = "service/ops/compose/gpu.yml"
STAGES = stages((ROOT / "Dockerfile").read_text("utf-8"))
VARIABLES = {f"PROMISE_{name.upper()}" for name in Settings.model_fields}
CONFINED = {"read_only": True, "cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"]}
Document = dict[str, Any]


def default(name: str) -> Any:
    return Settings.model_fields[name].default


def seconds(text: str) -> float:
    return float(text.removesuffix("s"))


def faults(document: Document) -> list[str]:
    """What does not fit together, one sentence each."""
    found = [fault for name, service in document["services"].items() for fault in faults_of(name, service)]
    return [*found, *faults_of_promise(document["services"]), *faults_of_watchers(document["services"])]


def faults_of(name: str, service: Document) -> Iterator[str]:
    """What every service owes: a pinned image, a confined process, a health check, folders that exist, limits."""
    if not re.search(r":v?\d+\.\d+\.\d+", service["image"]):
        yield f"{name}: the image has no whole version"
    if {key: service.get(key) for key in CONFINED} != CONFINED:
        yield f"{name}: not confined"
    if not service.get("healthcheck") and not ("build" in service and "HEALTHCHECK" in told(service)):
        yield f"{name}: no health check"
    for outside in mounts(service).values():
        if outside.startswith(".") and not (ROOT / outside).is_dir():
            yield f"{name}: {outside} is not there"
    if not {"memory", "pids"} <= set(service["deploy"]["resources"]["limits"]):
        yield f"{name}: no limits"
    if "stop_grace_period" not in service:
        yield f"{name}: no grace"


def told(service: Document) -> set[str]:
    return {instruction for instruction, _ in STAGES[service["build"]["target"]].steps}


def faults_of_promise(services: Document) -> Iterator[str]:
    promise, port = services["promise"], str(default("port"))
    for unknown in {key for key in promise["environment"] if key.startswith("PROMISE_")} - VARIABLES:
        yield f"promise: {unknown} is no setting"
    if inner_port(promise) != port or promise["environment"]["PROMISE_PORT"] != port:
        yield "promise: not the port of the settings"
    if seconds(promise["stop_grace_period"]) <= default("drain_s") + default("grace_s"):
        yield "promise: killed before it has drained"
    folder, _, file = promise["environment"]["PROMISE_EXPERIMENTS"].rpartition("/")
    if not (ROOT / mounts(promise).get(folder, "missing") / file).is_file():
        yield "promise: no experiments file"
    if promise["environment"]["PROMISE_REDIS_URL"] != "redis://redis:6379" or "redis" not in services:
        yield "promise: another Redis"


def faults_of_watchers(services: Document) -> Iterator[str]:
    """Prometheus scrapes the service, Grafana asks Prometheus, Locust asks the service: by the names given here."""
    prometheus = ROOT / mounts(services["prometheus"])["/etc/prometheus"]
    scraped = yaml.safe_load((prometheus / "prometheus.yml").read_text("utf-8"))
    static = [each for job in scraped["scrape_configs"] for each in job["static_configs"]]
    targets = [target for each in static for target in each["targets"]]
    if targets != [f"promise:{inner_port(services['promise'])}"]:
        yield f"prometheus: scrapes {targets}"
    if not all(list(prometheus.glob(pattern)) for pattern in scraped["rule_files"]):
        yield "prometheus: no rules"
    folders = mounts(services["grafana"])
    provisioned = ROOT / folders["/etc/grafana/provisioning"]
    sources = [source for path in provisioned.glob("datasources/*.yml") for source in parsed(path)["datasources"]]
    if [source["url"] for source in sources] != [f"http://prometheus:{inner_port(services['prometheus'])}"]:
        yield "grafana: another datasource"
    home = services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    board = ROOT / folders.get(home.rpartition("/")[0], "missing") / home.rpartition("/")[2]
    if not board.is_file() or not any(source["uid"] in board.read_text("utf-8") for source in sources):
        yield "grafana: no dashboard on its datasource"
    providers = [provider for path in provisioned.glob("dashboards/*.yml") for provider in parsed(path)["providers"]]
    if [provider["options"]["path"] for provider in providers] != [home.rpartition("/")[0]]:
        yield "grafana: its provider reads another folder"


def inner_port(service: Document) -> str:
    return str(service["ports"][0].rpartition(":")[2])


def parsed(path: Path) -> Document:
    return dict(yaml.safe_load(path.read_text("utf-8")))


def test_it_holds_together() -> None:
    assert faults(compose()) == []


def edit(*path: Any, to: Any) -> Callable[[Document], None]:
    """A mistake: another value at this place of the services."""

    def plant(document: Document) -> None:
        place = document["services"]
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = to

    return plant


@pytest.mark.parametrize(
    ("mistake", "fault"),
    [
        (edit("promise", "environment", "PROMISE_REDIS_ULR", to="x"), "promise: PROMISE_REDIS_ULR is no setting"),
        (edit("promise", "ports", to=["8000:8001"]), "promise: not the port of the settings"),
        (edit("promise", "stop_grace_period", to="12s"), "promise: killed before it has drained"),
        (edit("promise", "read_only", to=False), "promise: not confined"),
        (edit("promise", "volumes", to=["./nowhere:/srv/bundles:ro"]), "promise: ./nowhere is not there"),
        (edit("promise", "environment", "PROMISE_REDIS_URL", to="redis://cache:6379"), "promise: another Redis"),
        (edit("redis", "image", to="redis:latest"), "redis: the image has no whole version"),
        (edit("redis", "healthcheck", to=None), "redis: no health check"),
        (edit("grafana", "volumes", 0, to="./service/ops:/etc/grafana/provisioning:ro"), "grafana: another datasource"),
        (edit("prometheus", "ports", to=["127.0.0.1:9090:9091"]), "grafana: another datasource"),
        (edit("locust", "deploy", "resources", "limits", to={"cpus": "1"}), "locust: no limits"),
    ],
)
def test_a_planted_mistake_is_found(mistake: Callable[[Document], None], fault: str) -> None:
    document = compose()
    mistake(document)
    assert fault in faults(document)


def test_locust_finds_its_file_and_the_service() -> None:
    services = compose()["services"]
    command = exec_form(last(STAGES, "loadtest", "CMD"))
    options = dict(zip(command[1::2], command[2::2], strict=True))
    file = Path(options["-f"])
    folder = mounts(services["locust"])[str(file.parent)]
    assert services["locust"]["profiles"] == ["locust"]
    assert (ROOT / folder / file.name).is_file()
    assert options["--host"] == f"http://promise:{default('port')}"
    assert options["--bundle"] == environment(STAGES, "loadtest")["PROMISE_BUNDLE"]
    assert [port.rpartition(":")[2] for port in services["locust"]["ports"]] == [last(STAGES, "loadtest", "EXPOSE")]


def test_the_gpu_changes_the_device_and_the_packages_only() -> None:
    services = compose(GPU)["services"]
    assert list(services) == ["promise"]
    promise = services["promise"]
    assert (ROOT / "service" / "locks" / f"{promise['build']['args']['EXTRAS']}.txt").is_file()
    assert promise["environment"] == {"PROMISE_DEVICE": "cuda"}
    assert promise["deploy"]["resources"]["reservations"]["devices"][0]["capabilities"] == ["gpu"]
    assert promise["image"] == f"{compose()['services']['promise']['image']}-gpu"


def test_image_names_carry_the_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    built = [each["image"] for each in compose()["services"].values() if "build" in each]
    assert [image.partition(":")[2].removesuffix("-loadtest") for image in built] == [version, version]


def test_only_the_service_is_reached_from_outside_and_nothing_waits_for_what_is_not_checked() -> None:
    services = compose()["services"]
    for name, service in services.items():
        assert name == "promise" or all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
        for other, how in service.get("depends_on", {}).items():
            assert other in services
            assert how == {"condition": "service_healthy"}


def test_what_its_comments_name_exists() -> None:
    text = (ROOT / "docker-compose.yml").read_text("utf-8")
    assert (ROOT / GPU).is_file()
    assert GPU in text
    for name in re.findall(r"([A-Z]+)=\./", text):
        assert f"${{{name}:-" in text
    assert default_of("${BUNDLES:-./models/bundles}:/x:ro") == "./models/bundles:/x:ro"


def test_its_experiments_are_in_order() -> None:
    folder = mounts(compose()["services"]["promise"])["/etc/promise"]
    assert Experiments.parse((ROOT / folder / "experiments.yaml").read_text("utf-8")).experiments


def test_it_fits_the_compose_specification(tmp_path: Path) -> None:
    planted = compose()
    planted["services"]["promise"]["depend_on"] = ["redis"]
    (tmp_path / "planted.yml").write_text(yaml.safe_dump(planted), "utf-8")
    files = [ROOT / "docker-compose.yml", ROOT / GPU, tmp_path / "planted.yml"]
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", "-o", "json"]
    done = subprocess.run([*check, *map(str, files)], capture_output=True, text=True, check=False)
    refused = json.loads(done.stdout)
    assert {error["filename"] for error in refused["errors"]} == {str(files[-1])}, done.stdout
    assert "depend_on" in done.stdout
