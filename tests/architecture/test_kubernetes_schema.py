"""service/ops/kubernetes against the schemas: each object as kustomize makes it, on two versions of Kubernetes."""

import re
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from kubernetes_schemas import VERSIONS, mistakes, serve_config
from kustomized import KUBERNETES, Document, built

FOLDERS = (".", "gpu", "ray")
GENERATED = re.compile(r"\b(promise-settings|promise-redis)-[a-z0-9]{10}\b")


def object_of(folder: str, kind: str, name: str = "promise") -> Document:
    found = [one for one in built(folder) if (one["kind"], one["metadata"]["name"]) == (kind, name)]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("folder", FOLDERS)
def test_every_object_is_of_its_schema(folder: str, version: str) -> None:
    assert [said for one in built(folder) for said in mistakes(one, version)] == []


def test_they_hold_what_is_meant() -> None:
    kinds = [one["kind"] for one in built(".")]
    assert sorted(set(kinds)) == [
        "ConfigMap", "Deployment", "HorizontalPodAutoscaler", "Namespace", "NetworkPolicy", "PodDisruptionBudget",
        "PodMonitor", "Service", "StatefulSet",
    ]  # fmt: skip
    gone = {"Deployment", "HorizontalPodAutoscaler"}
    assert gone & {one["kind"] for one in built("ray")} == set()
    assert "RayService" in {one["kind"] for one in built("ray")}


def place(*path: Any, to: Any) -> Callable[[Document], None]:
    def plant(one: Document) -> None:
        inner: Any = one
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = to

    return plant


CONTAINER = ("spec", "template", "spec", "containers", 0)
WORKERS = ("spec", "rayClusterConfig", "workerGroupSpecs", 0)


@pytest.mark.parametrize(
    ("folder", "kind", "mistake", "said"),
    [
        (".", "Deployment", place("spec", "replica", to=3), "replica"),
        (".", "Deployment", place(*CONTAINER, "readinessProbe", "httpGet", "prot", to=1), "prot"),
        (".", "Deployment", place(*CONTAINER, "securityContext", "readOnlyRootFilesystem", to="yes"), "boolean"),
        (".", "HorizontalPodAutoscaler", place("spec", "minReplicas", to="three"), "integer"),
        (".", "HorizontalPodAutoscaler", place("apiVersion", to="autoscaling/v2beta2"), "has no autoscaling/v2beta2"),
        (".", "NetworkPolicy", place("spec", "egres", to=[]), "egres"),
        (".", "PodDisruptionBudget", place("spec", "selector", to="promise"), "object"),
        (".", "PodMonitor", place("spec", "podMetricsEndpoints", 0, "interval", to="ten"), "ten"),
        (".", "PodMonitor", place("apiVersion", to="monitoring.coreos.com/v2"), "was expected"),
        ("ray", "RayService", place("spec", "serveConfig", to="x"), "serveConfig"),
        ("ray", "RayService", place(*WORKERS, "maxReplicas", to=-1), "minimum"),
        ("ray", "RayService", place(*WORKERS, "rayStartParams", to={"num-cpus": 0}), "string"),
        ("ray", "RayService", place(*WORKERS, "template", "spec", "containers", 0, "imag", to="x"), "imag"),
    ],
)
def test_a_planted_mistake_is_found(folder: str, kind: str, mistake: Callable[[Document], None], said: str) -> None:
    one = object_of(folder, kind)
    mistake(one)
    assert said in " ".join(mistakes(one, VERSIONS[-1]))


@pytest.mark.ray  # a second of imports
def test_ray_serve_takes_its_part() -> None:
    schema = pytest.importorskip("ray.serve.schema", reason="the extra ray is not installed")
    told = serve_config(object_of("ray", "RayService"))
    read = schema.ServeDeploySchema.model_validate(told)
    assert [one.import_path for one in read.applications] == ["service.ray_serve:application"]
    assert set(told) <= set(schema.ServeDeploySchema.model_fields)
    assert set(told["applications"][0]) <= set(schema.ServeApplicationSchema.model_fields)
    told["applications"][0]["import_path"] = "application"
    with pytest.raises(ValueError, match="import_path"):
        schema.ServeDeploySchema.model_validate(told)


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")
@pytest.mark.parametrize("folder", FOLDERS)
def test_kustomize_itself_prints_the_same(folder: str) -> None:
    command = ["kubectl", "kustomize", str(KUBERNETES / folder)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    theirs = list(yaml.safe_load_all(GENERATED.sub(r"\1", printed)))
    assert sorted(theirs, key=by_name) == sorted(built(folder), key=by_name)


def by_name(one: Document) -> tuple[str, str]:
    return one["kind"], one["metadata"]["name"]
