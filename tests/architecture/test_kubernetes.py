"""service/ops/kubernetes fits the code, the image and itself; planted mistakes do not."""

import ast
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from containers import ROOT, last, stages
from kubernetes_faults import adapter_rules, faults, named
from kubernetes_schemas import serve_config
from kustomized import KUBERNETES, Document, built, files, parsed, pod_specs
from promql import mistakes, offered, rules

from service import settings
from service.errors import SettingsError
from service.observability.watched import MEANINGS

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
LOCKS = ROOT / "service" / "locks"
README = (KUBERNETES / "README.md").read_text("utf-8")
FOLDERS = (".", "gpu", "ray")


@pytest.mark.parametrize("folder", [".", "gpu", "ray"])
def test_it_holds_together(folder: str) -> None:
    assert faults(built(folder)) == []


Plant = Callable[[list[Document]], None]


def edit(kind: str, name: str, *path: Any, to: Any) -> Plant:
    """A mistake: another value at this place of this object."""

    def plant(objects: list[Document]) -> None:
        inner: Any = named(objects, kind, name)
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = to

    return plant


POD = ("spec", "template", "spec")
BOX = (*POD, "containers", 0)
SETTINGS = ("ConfigMap", "promise-settings", "data")
DEPLOYMENT = ("Deployment", "promise")
SCALER = ("HorizontalPodAutoscaler", "promise")
REDIS = ("StatefulSet", "promise-redis")
URL_AT = 1  # of the container's variables


@pytest.mark.parametrize(
    ("mistake", "fault"),
    [
        (edit(*SETTINGS, "PROMISE_DRIAN_S", to="5"), "Extra inputs are not permitted"),
        (edit(*SETTINGS, "PROMISE_DRAIN_S", to="soon"), "drain_s"),
        (edit(*SETTINGS, "PROMISE_DRAIN_S", to="30"), "promise: killed before it has drained"),
        (edit(*SETTINGS, "PROMISE_DRAIN_S", to="2"), "promise: gone before anybody has seen that it drains"),
        (edit(*SETTINGS, "PROMISE_PORT", to="8001"), "promise: not the port of the settings"),
        (edit(*SETTINGS, "PROMISE_API_KEYS", to="/etc/keys"), "promise: nothing is mounted for /etc/keys"),
        (edit(*SETTINGS, "PROMISE_CACHE_REDIS", to="true"), "redis: histories may be evicted, or encodings fill it"),
        (edit(*SETTINGS, "PROMISE_REDIS_CONFIRM", to="2"), "redis: with one replica gone nothing is confirmed"),
        (edit(*DEPLOYMENT, *BOX, "env", URL_AT, "name", to="PROMISE_REDIS"), "settings: PROMISE_REDIS is no setting"),
        (edit(*DEPLOYMENT, *BOX, "readinessProbe", "httpGet", "path", to="/ready"), "promise: a probe asks for what"),
        (edit(*DEPLOYMENT, *BOX, "livenessProbe", "httpGet", "path", to="/metrics"), "a probe asks for something else"),
        (edit(*DEPLOYMENT, *BOX, "securityContext", "readOnlyRootFilesystem", to=False), "promise: not confined"),
        (edit(*DEPLOYMENT, *BOX, "image", to="promise-recommender:latest"), "promise: the image has no whole version"),
        (edit(*DEPLOYMENT, *BOX, "resources", "limits", to={"cpu": "1"}), "promise: no limits"),
        (edit(*DEPLOYMENT, *POD, "securityContext", "runAsUser", to=1000), "promise: not the image's user 10001:10001"),
        (edit(*DEPLOYMENT, *POD, "enableServiceLinks", to=True), "services of the namespace become PROMISE_"),
        (edit(*DEPLOYMENT, *POD, "automountServiceAccountToken", to=True), "promise: holds a token of the cluster"),
        (edit(*DEPLOYMENT, "spec", "replicas", to=3), "promise: an update takes replicas away"),
        (
            edit("HorizontalPodAutoscaler", "promise", "spec", "scaleTargetRef", "name", to="x"),
            "scaling: no such target",
        ),
        (edit("HorizontalPodAutoscaler", "promise", "spec", "minReplicas", to=1), "a disruption may take all replicas"),
        (edit("NetworkPolicy", "promise", "spec", "ingress", 0, "from", to=[]), "promise is open to everyone"),
        (edit("NetworkPolicy", "closed", "spec", "policyTypes", to=["Ingress"]), "policies: the namespace is open"),
        (edit("Service", "promise", "spec", "selector", to={}), "policies: Service promise selects no pod"),
        (edit("PodMonitor", "promise", "spec", "podMetricsEndpoints", 0, "port", to="x"), "monitor: scrapes another"),
        (edit("PodMonitor", "promise", "spec", "jobLabel", to="x"), "monitor: the rules ask for the job promise"),
        (edit(*REDIS, "spec", "replicas", to=2), "promise: another Redis"),
        (edit(*REDIS, *BOX, "resources", "limits", "memory", to="6Gi"), "redis: no room to rewrite its log"),
    ],
)
def test_a_planted_mistake_is_found(mistake: Plant, fault: str) -> None:
    objects = built(".")
    mistake(objects)
    assert fault in "\n".join(faults(objects))


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("@promise-redis-0.", "@promise-redis-3.", "promise: another Redis"),
        (":26379,", ":6379,", "promise: another Redis"),
        ("rediss+sentinel", "redis+sentinel", "promise: another Redis"),
        ("/etc/promise/redis/ca.crt", "/tls/ca.crt", "promise: the CA is elsewhere"),
        ("ssl_ca_certs", "ssl_ca_cert", "PROMISE_REDIS_URL is not valid"),
    ],
)
def test_a_wrong_address_of_redis_is_found(old: str, new: str, fault: str) -> None:
    objects = built(".")
    box = named(objects, *DEPLOYMENT)["spec"]["template"]["spec"]["containers"][0]
    box["env"][URL_AT]["value"] = box["env"][URL_AT]["value"].replace(old, new)
    assert fault in "\n".join(faults(objects))


def test_what_kubernetes_adds_by_itself_would_be_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMISE_SERVICE_HOST", "10.0.0.1")  # enableServiceLinks: false keeps it out
    with pytest.raises(SettingsError, match="PROMISE_SERVICE_HOST"):
        settings.load()


def test_the_adapter_reads_series_of_the_service() -> None:
    kinds = {name: "counter" if name.endswith("_total") else "gauge" for name in MEANINGS}
    known = offered("".join(f"# TYPE {name} {kind}\n{name} 1\n" for name, kind in kinds.items()))
    for rule in adapter_rules():
        series = rule["seriesQuery"].partition("{")[0]
        query = rule["metricsQuery"].replace("<<.GroupBy>>", "instance").replace("<<.LabelMatchers>>", 'job="promise"')
        assert "<<" not in query
        assert mistakes(query, known) == []
        assert re.fullmatch(rule["name"]["matches"], series)
        assert f"{series}{{" in query
        assert mistakes(query.replace("promise_", "promise_x"), known)


def test_the_rules_know_the_job_that_the_monitor_makes() -> None:
    assert 'job="promise"' in " ".join(str(rule["expr"]) for rule in rules())


def test_images_are_the_images_of_this_version() -> None:
    for folder, extra in ((".", ""), ("gpu", "-gpu"), ("ray", "-ray")):
        images = {spec["image"] for one in built(folder) for spec in boxes(one) if spec["image"].startswith("promise-")}
        assert images == {f"promise-recommender:{PROJECT['version']}{extra}"}
        assert (LOCKS / f"{extra[1:] or 'base'}.txt").is_file()


def boxes(one: Document) -> list[Document]:
    return [container for spec in pod_specs(one) for container in spec["containers"]]


def test_a_gpu_is_asked_for_where_cuda_is() -> None:
    box = named(built("gpu"), *DEPLOYMENT)["spec"]["template"]["spec"]["containers"][0]
    assert box["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert {"name": "PROMISE_DEVICE", "value": "cuda"} in box["env"]
    assert "PROMISE_REDIS_URL" in [one["name"] for one in box["env"]], "the patch adds"


def test_ray_serves_what_is_there() -> None:
    service = named(built("ray"), "RayService")
    [application] = serve_config(service)["applications"]
    module, _, name = application["import_path"].partition(":")
    tree = ast.parse((ROOT / f"{module.replace('.', '/')}.py").read_text("utf-8"))
    found = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    fields = [ast.unparse(node.target) for node in found["Scale"].body if isinstance(node, ast.AnnAssign)]
    assert name in found
    assert set(application["args"]) <= set(fields)
    [deployment] = application["deployments"]
    bundle = Path(deployment["user_config"]["bundles"]["beauty"])
    assert f'DEPLOYMENT = "{deployment["name"]}"' in ast.unparse(tree).replace("'", '"')
    assert (ROOT / "models" / "bundles" / bundle.relative_to("/srv/bundles") / "manifest.json").is_file()
    [workers] = service["spec"]["rayClusterConfig"]["workerGroupSpecs"]
    assert workers["rayStartParams"]["num-cpus"] == str(application["args"]["cpus"]), "a worker, a replica, a door"
    doors = {port["name"]: port["containerPort"] for port in workers["template"]["spec"]["containers"][0]["ports"]}
    assert doors["door"] == doors["serve"] + 1 == settings.Settings.model_fields["port"].default + 1
    locked = re.search(r"^ray==(\S+)", (LOCKS / "ray.txt").read_text("utf-8"), re.MULTILINE)
    assert locked is not None
    assert service["spec"]["rayClusterConfig"]["rayVersion"] == locked[1]


def test_there_is_no_secret_and_each_that_is_named_is_explained() -> None:
    texts = {path: path.read_text("utf-8") for path in KUBERNETES.rglob("*.yaml")}
    assert "Secret" not in {one["kind"] for path in texts for one in parsed(path) if "kind" in one}
    references = re.findall(r"secretKeyRef: \{name: (\S+), key: (\S+)\}", "".join(texts.values()))
    references += [("promise", "keys.yaml"), ("promise-redis-tls", "ca.crt")]
    for name, key in set(references):
        assert re.search(rf"create secret (generic|tls) {name}\b", README), name
        assert key in README


def test_every_file_is_part_of_something() -> None:
    used = {path for folder in FOLDERS for path in files((KUBERNETES / folder).resolve())}
    there = {path for path in KUBERNETES.rglob("*") if path.is_file()}
    assert {path.name for path in there - used} == {"README.md", "prometheus-adapter.yaml"}
    assert all(f"{folder}/" in README for folder in ("service", "redis", "gpu", "ray"))


def test_its_user_is_the_image_s_and_settings_are_whole() -> None:
    assert last(stages((ROOT / "Dockerfile").read_text("utf-8")), "service", "USER") == "10001:10001"
    text = yaml.safe_dump([built(folder) for folder in FOLDERS])
    fields = {f"PROMISE_{name.upper()}" for name in settings.Settings.model_fields}
    assert set(re.findall(r"PROMISE_[A-Z_]+", text)) <= fields
