"""What of Kubernetes objects does not fit the settings, the Dockerfile, the routes, the metrics or each other."""

import json
import re
from collections.abc import Iterator

import yaml
from containers import ROOT, last, stages
from kustomized import KUBERNETES, Document, pod_specs, templates

from service.cache.links import link
from service.errors import SettingsError
from service.experiments.config import Experiments
from service.settings import Settings

STAGES = stages((ROOT / "Dockerfile").read_text("utf-8"))
ROUTES = set(json.loads((ROOT / "tests" / "contract" / "openapi.json").read_text("utf-8"))["paths"]) | {"/metrics"}
NAME = "app.kubernetes.io/name"
CONFINED = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
CA = ROOT / "pyproject.toml"  # any file will do: it is read at the first connection
UNITS = {"Mi": 1 << 20, "Gi": 1 << 30, "mb": 1 << 20, "gb": 1 << 30}


def faults(objects: list[Document]) -> list[str]:
    """What does not fit together, one sentence each."""
    found = [fault for one in objects for spec in pod_specs(one) for fault in of_pod(one, spec)]
    checks = (of_settings, of_promise, of_scaling, of_policies, of_redis, of_monitor)
    return [*found, *(fault for check in checks for fault in check(objects))]


def named(objects: list[Document], kind: str, name: str = "promise") -> Document:
    """The object; an empty one where there is none."""
    return next((one for one in objects if (one["kind"], one["metadata"]["name"]) == (kind, name)), {})


def of_pod(one: Document, spec: Document) -> Iterator[str]:
    """What every pod owes: no root, no token, nothing writable, limits, probes, a pinned image."""
    name = one["metadata"]["name"]
    if one["kind"] != "RayService" and spec.get("automountServiceAccountToken") is not False:
        yield f"{name}: holds a token of the cluster"
    if spec.get("enableServiceLinks") is not False:
        yield f"{name}: services of the namespace become PROMISE_… variables"
    user = spec["securityContext"]
    if not (user["runAsNonRoot"] and user["runAsUser"] and user["seccompProfile"] == {"type": "RuntimeDefault"}):
        yield f"{name}: not confined"
    for container in spec["containers"]:
        if {key: container["securityContext"].get(key) for key in CONFINED} != CONFINED:
            yield f"{name}: not confined"
        if not re.search(r":v?\d+\.\d+\.\d+", container["image"]):
            yield f"{name}: the image has no whole version"
        if "memory" not in container["resources"]["limits"] or "cpu" not in container["resources"]["requests"]:
            yield f"{name}: no limits"
        if not {"livenessProbe", "readinessProbe"} <= set(container):
            yield f"{name}: no probes"


def of_settings(objects: list[Document]) -> Iterator[str]:
    """Every PROMISE_ variable is a setting and of its type; together they are a service that could start."""
    data = named(objects, "ConfigMap", "promise-settings")["data"]
    for spec in (spec for one in objects for spec in pod_specs(one)):
        for variable in [each["name"] for container in spec["containers"] for each in container.get("env", [])]:
            if (
                variable.startswith("PROMISE_")
                and variable.removeprefix("PROMISE_").lower() not in Settings.model_fields
            ):
                yield f"settings: {variable} is no setting"
    try:
        Settings(**{name.removeprefix("PROMISE_").lower(): value for name, value in data.items()})
    except ValueError as error:
        yield f"settings: {' '.join(str(error).split())[:200]}"
    Experiments.parse(named(objects, "ConfigMap", "promise-experiments")["data"]["experiments.yaml"])


def value(objects: list[Document], name: str) -> float:
    """A setting in force; its default where what is written is no number, which `of_settings` says."""
    default = float(Settings.model_fields[name].default)
    try:
        return float(named(objects, "ConfigMap", "promise-settings")["data"].get(f"PROMISE_{name.upper()}", default))
    except ValueError:
        return default


def of_promise(objects: list[Document]) -> Iterator[str]:
    data = named(objects, "ConfigMap", "promise-settings")["data"]
    user = last(STAGES, "service", "USER")
    for spec in (spec for one in objects for spec in pod_specs(one) if one["metadata"]["name"] == "promise"):
        container, identity = spec["containers"][0], spec["securityContext"]
        if f"{identity['runAsUser']}:{identity['runAsGroup']}" != user:
            yield f"promise: not the image's user {user}"
        mounted = [mount["mountPath"] for mount in container["volumeMounts"]]
        for path in (data["PROMISE_EXPERIMENTS"], data["PROMISE_API_KEYS"]):
            if path.rpartition("/")[0] not in mounted:
                yield f"promise: nothing is mounted for {path}"
        yield from of_redis_url(objects, container)
    deployment = named(objects, "Deployment")
    if deployment:
        yield from of_deployment(objects, deployment["spec"])


def of_deployment(objects: list[Document], spec: Document) -> Iterator[str]:
    pod = spec["template"]["spec"]
    container = pod["containers"][0]
    if [port["containerPort"] for port in container["ports"]] != [value(objects, "port")]:
        yield "promise: not the port of the settings"
    probes = [container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")]
    if not {probe["path"] for probe in probes} <= ROUTES or {probe["port"] for probe in probes} != {"http"}:
        yield "promise: a probe asks for what is not there"
    if [probe["path"] for probe in probes] != ["/health/ready", "/health/live", "/health/ready"]:
        yield "promise: a probe asks for something else"
    drain, grace = value(objects, "drain_s"), value(objects, "grace_s")
    if pod["terminationGracePeriodSeconds"] <= drain + grace + 5:
        yield "promise: killed before it has drained"
    readiness = container["readinessProbe"]
    if drain < readiness["periodSeconds"] * (readiness["failureThreshold"] + 1):
        yield "promise: gone before anybody has seen that it drains"
    if spec["strategy"]["rollingUpdate"]["maxUnavailable"] != 0 or "replicas" in spec:
        yield "promise: an update takes replicas away"


def of_redis_url(objects: list[Document], container: Document) -> Iterator[str]:
    """The URL names every pod of the StatefulSet at Sentinel's port, TLS, a password, and the CA that is mounted."""
    redis = named(objects, "StatefulSet", "promise-redis")
    variables = {one["name"]: one.get("value", "") for one in container["env"]}
    url = variables.get("PROMISE_REDIS_URL", "")
    hosts = re.sub(r".*@|/.*", "", url).split(",")
    service, port = redis["spec"]["serviceName"], redis["spec"]["template"]["spec"]["containers"][1]["ports"][0]
    pods = [f"promise-redis-{at}.{service}:{port['containerPort']}" for at in range(redis["spec"]["replicas"])]
    order = [*variables, "PROMISE_REDIS_URL"]
    if hosts != pods or not url.startswith("rediss+sentinel://:$(REDIS_PASSWORD)@") or "/promise?" not in url:
        yield "promise: another Redis"
    if order.index("REDIS_PASSWORD") > order.index("PROMISE_REDIS_URL"):
        yield "promise: the password comes after the URL"
    ca = f"{mount(container, 'redis-ca')}/ca.crt"
    if f"&ssl_ca_certs={ca}" not in url:
        yield "promise: the CA is elsewhere"
    try:
        link(url.replace("$(REDIS_PASSWORD)", "0123").replace(ca, str(CA)), 0.1, 2)
    except SettingsError as error:
        yield f"promise: {error}"


def mount(container: Document, name: str) -> str:
    return next((one["mountPath"] for one in container["volumeMounts"] if one["name"] == name), "")


def of_scaling(objects: list[Document]) -> Iterator[str]:
    scaler = named(objects, "HorizontalPodAutoscaler")
    if not scaler:
        return
    target = scaler["spec"]["scaleTargetRef"]
    if not named(objects, target["kind"], target["name"]):
        yield "scaling: no such target"
    offered = {rule["name"]["as"] for rule in adapter_rules()}
    asked = {metric["pods"]["metric"]["name"] for metric in scaler["spec"]["metrics"]}
    if asked != offered:
        yield f"scaling: asks for {sorted(asked)}, the adapter has {sorted(offered)}"
    budget = named(objects, "PodDisruptionBudget")["spec"]["maxUnavailable"]
    if scaler["spec"]["minReplicas"] <= budget:
        yield "scaling: a disruption may take all replicas"


def adapter_rules() -> list[Document]:
    return list(yaml.safe_load((KUBERNETES / "prometheus-adapter.yaml").read_text("utf-8"))["rules"]["custom"])


def of_policies(objects: list[Document]) -> Iterator[str]:
    """Selectors meet pods of these objects, ports are ports of those pods, and the namespace is closed by default."""
    pods = [template for one in objects for template in templates(one)]
    labels = {template["metadata"]["labels"][NAME] for template in pods}
    policies = [one for one in objects if one["kind"] == "NetworkPolicy"]
    if {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]} not in [one["spec"] for one in policies]:
        yield "policies: the namespace is open"
    for label in labels - {one["spec"]["podSelector"].get("matchLabels", {}).get(NAME) for one in policies}:
        yield f"policies: {label} reaches nobody"
    for one in (one for one in objects if one["kind"] in ("Service", "PodDisruptionBudget")):
        selector = one["spec"]["selector"]
        if selector.get("matchLabels", selector).get(NAME) not in labels:
            yield f"policies: {one['kind']} {one['metadata']['name']} selects no pod"
    for one in policies:
        yield from of_policy(one, pods)


def of_policy(policy: Document, pods: list[Document]) -> Iterator[str]:
    name, spec = policy["metadata"]["name"], policy["spec"]
    for rule in [*spec.get("ingress", []), *spec.get("egress", [])]:
        if not rule.get("from", rule.get("to")):
            yield f"policies: {name} is open to everyone"
    label = spec["podSelector"].get("matchLabels", {}).get(NAME)
    own = [template for template in pods if template["metadata"]["labels"][NAME] == label]
    known = {port["containerPort"] for one in own for each in one["spec"]["containers"] for port in each["ports"]}
    opened = {port["port"] for rule in spec.get("ingress", []) for port in rule.get("ports", [])}
    if own and not opened <= known:
        yield f"policies: {name} opens {sorted(opened - known)}, where nobody listens"


def of_redis(objects: list[Document]) -> Iterator[str]:
    """What must not be lost is never evicted, kept on disk, and fits; what may be lost is elsewhere."""
    conf = dict(
        line.split(" ", 1)
        for line in named(objects, "ConfigMap", "promise-redis")["data"]["redis.conf"].splitlines()
        if line and not line.startswith("#")
    )
    redis = named(objects, "StatefulSet", "promise-redis")["spec"]
    server = redis["template"]["spec"]["containers"][0]
    encodings = named(objects, "ConfigMap", "promise-settings")["data"].get("PROMISE_CACHE_REDIS") != "false"
    if conf["maxmemory-policy"] != "noeviction" or encodings:
        yield "redis: histories may be evicted, or encodings fill it"
    if conf["appendonly"] != "yes" or conf["dir"] != mount(server, "data"):
        yield "redis: nothing is kept"
    if size(conf["maxmemory"]) * 1.5 > size(server["resources"]["limits"]["memory"]):
        yield "redis: no room to rewrite its log"
    if (conf["port"], conf["tls-port"]) != ("0", str(server["ports"][0]["containerPort"])):
        yield "redis: not TLS alone"
    if value(objects, "redis_confirm") > redis["replicas"] - 2:
        yield "redis: with one replica gone nothing is confirmed"


def size(text: str) -> int:
    return int(text[:-2]) * UNITS[text[-2:]]


def of_monitor(objects: list[Document]) -> Iterator[str]:
    """Prometheus scrapes the pods' own port and route, under the job that the rules ask for."""
    [monitor] = [one for one in objects if one["kind"] == "PodMonitor"]
    spec = monitor["spec"]
    if spec["selector"]["matchLabels"].get(spec["jobLabel"]) != "promise":
        yield "monitor: the rules ask for the job promise"
    boxes = [box for one in objects for pod in pod_specs(one) for box in pod["containers"]]
    ports = {port["name"] for box in boxes for port in box["ports"]}
    for endpoint in spec["podMetricsEndpoints"]:
        if endpoint["port"] not in ports or endpoint["path"] not in ROUTES:
            yield "monitor: scrapes another port or route"
