"""Whether objects are of Kubernetes' schema; those of operators by the schemas stated here, closed, for what we use.

Sources: monitoring.coreos.com/v1 PodMonitor (Prometheus operator's API reference), ray.io/v1 RayService (KubeRay's API
reference), Ray Serve's configuration file (ray.serve.schema, which the tests ask where Ray is installed).
"""

import functools
import json
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import yaml
from kustomized import Document, templates
from referencing import Registry, Resource

VERSIONS = ("1.32", "1.37")  # the oldest that is meant, and the newest that is known
TEXT, WHOLE = {"type": "string", "minLength": 1}, {"type": "integer", "minimum": 0}
SPAN = {"type": "string", "pattern": r"^\d+(ms|s|m)$"}


def closed(required: str, optional: str = "", **properties: Any) -> Document:
    """An object of these properties; whatever is named without a schema is any object."""
    names = [*required.split(), *optional.split()]
    given = {name: properties.get(name, {"type": "object"}) for name in names}
    return {"type": "object", "properties": given, "required": required.split(), "additionalProperties": False}


ENDPOINT = closed("port path", "interval scrapeTimeout", port=TEXT, path=TEXT, interval=SPAN, scrapeTimeout=SPAN)
POD_MONITOR = closed(
    "selector podMetricsEndpoints",
    "jobLabel",
    jobLabel=TEXT,
    selector=closed("matchLabels"),
    podMetricsEndpoints={"type": "array", "minItems": 1, "items": ENDPOINT},
)
PARAMETERS = {"type": "object", "additionalProperties": {"type": "string"}}
HEAD = closed("rayStartParams template", "serviceType", rayStartParams=PARAMETERS, serviceType=TEXT)
WORKERS = closed(
    "groupName replicas minReplicas maxReplicas rayStartParams template",
    "numOfHosts",
    groupName=TEXT,
    rayStartParams=PARAMETERS,
    **dict.fromkeys(("replicas", "minReplicas", "maxReplicas", "numOfHosts"), WHOLE),
)
RAY_CLUSTER = closed(
    "rayVersion headGroupSpec workerGroupSpecs",
    "enableInTreeAutoscaling autoscalerOptions",
    rayVersion=TEXT,
    enableInTreeAutoscaling={"type": "boolean"},
    headGroupSpec=HEAD,
    workerGroupSpecs={"type": "array", "minItems": 1, "items": WORKERS},
)
RAY_SERVICE = closed(
    "serveConfigV2 rayClusterConfig",
    "upgradeStrategy serviceUnhealthySecondThreshold deploymentUnhealthySecondThreshold",
    serveConfigV2=TEXT,
    rayClusterConfig=RAY_CLUSTER,
    upgradeStrategy=closed("type", type={"enum": ["NewCluster", "None", "NewClusterWithIncrementalUpgrade"]}),
    serviceUnhealthySecondThreshold=WHOLE,
    deploymentUnhealthySecondThreshold=WHOLE,
)
STATED = {"PodMonitor": ("monitoring.coreos.com/v1", POD_MONITOR), "RayService": ("ray.io/v1", RAY_SERVICE)}


def mistakes(one: Document, version: str) -> list[str]:
    """What this version of Kubernetes would refuse of the object, each with its place."""
    if one["kind"] not in STATED:
        return _builtin(one, version)
    api, schema = STATED[one["kind"]]
    whole = closed("apiVersion kind metadata spec", apiVersion={"const": api}, kind=TEXT, spec=schema)
    found = jsonschema.Draft202012Validator(whole).iter_errors(one)
    pods = ({"apiVersion": "v1", "kind": "Pod", **template} for template in templates(one))
    return [*(_said(one, error) for error in found), *(said for pod in pods for said in _builtin(pod, version))]


def _builtin(one: Document, version: str) -> list[str]:
    group, _, api = one["apiVersion"].rpartition("/")
    name = f"{one['kind']}-{group.partition('.')[0]}-{api}".replace("--", "-").lower()
    path = _schemas(version) / f"{name}.json"
    if not path.is_file():
        return [f"{one['kind']}: Kubernetes {version} has no {one['apiVersion']}"]
    check = jsonschema.Draft202012Validator(json.loads(path.read_text("utf-8")), registry=_definitions(version))
    return [_said(one, error) for error in check.iter_errors(one)]


def _schemas(version: str) -> Path:
    """kubernetes-validate's folder of strict schemas: an unknown field is a mistake."""
    return Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema" / f"v{version}.0-local-strict"


@functools.cache
def _definitions(version: str) -> Registry[Any]:
    """What the schemas refer to; reading it is nearly all of the time, and the package would do so for each object."""
    path = _schemas(version) / "_definitions.json"
    resource = Resource[Any].from_contents(json.loads(path.read_text("utf-8")))
    found: Registry[Any] = Registry().with_resource(path.name, resource).crawl()
    return found


def _said(one: Document, error: jsonschema.ValidationError) -> str:
    return f"{one['kind']} {'/'.join(map(str, error.absolute_path))}: {error.message[:200]}"


def serve_config(one: Document) -> Document:
    """What a RayService hands to Ray Serve."""
    return dict(yaml.safe_load(one["spec"]["serveConfigV2"]))
