"""What a local Ray cluster is asked to do, one JSON line each; the answers are JSON lines too.

Usage: python -m loadtest.bench.ray.driver ADDRESS PORT, with the address of the cluster and the port of the head's
proxy. {"do": "deploy", "application": {...}} deploys as `serve deploy` does and waits until all of it runs;
{"do": "look"} counts replicas.
"""

import json
import logging
import os
import sys
import time
from collections.abc import Mapping
from typing import Any

import ray
from ray import serve
from ray.serve.context import _get_global_client  # what `serve deploy` reaches by way of the dashboard, off here
from ray.serve.schema import ApplicationStatus, ApplicationStatusOverview, ServeDeploySchema

from service.ray_serve import DEPLOYMENT

LONGEST_S = 240.0


def main(address: str, port: int) -> None:
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what Ray prints must not write into the protocol
    ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
    http = {"host": "127.0.0.1", "port": port}
    serve.start(proxy_location="EveryNode", http_options=http, logging_config={"enable_access_log": False})
    print(json.dumps({"ready": True}), file=out, flush=True)
    for line in sys.stdin:
        print(json.dumps(_answer(json.loads(line), http)), file=out, flush=True)


def _answer(asked: Mapping[str, Any], http: Mapping[str, Any]) -> dict[str, Any]:
    """`error`: why it was not done, one line; empty where it was."""
    try:
        if asked["do"] == "deploy":
            _deploy({"name": DEPLOYMENT, "route_prefix": "/", **asked["application"]}, http)
        return {"error": "", "replicas": _replicas(_application()), "resources": _resources()}
    except Exception as error:  # whatever Ray says: the asking side makes a sentence of it
        return {"error": (str(error).strip().splitlines() or [type(error).__name__])[-1]}


def _deploy(application: Mapping[str, Any], http: Mapping[str, Any]) -> None:
    begun = time.time()
    config = {
        "proxy_location": "EveryNode",
        "http_options": http,
        "logging_config": {"enable_access_log": False},
        "applications": [application],
    }
    client = _get_global_client()
    assert client is not None
    client.deploy_apps(ServeDeploySchema.model_validate(config))
    while not _arrived(_application(), begun):
        if time.time() - begun > LONGEST_S:
            raise TimeoutError(f"not deployed after {LONGEST_S:g} s")
        time.sleep(0.1)


def _arrived(found: ApplicationStatusOverview | None, begun: float) -> bool:
    """Raises RuntimeError: it will not, and why."""
    if found is None or found.last_deployed_time_s < begun:
        return False
    if found.status == ApplicationStatus.DEPLOY_FAILED:  # unhealthy: a node was lost just now
        raise RuntimeError(" ".join([found.message, *(one.message for one in found.deployments.values())]))
    return found.status == ApplicationStatus.RUNNING


def _application() -> ApplicationStatusOverview | None:
    return serve.status().applications.get(DEPLOYMENT)


def _replicas(found: ApplicationStatusOverview | None) -> dict[str, int]:
    """How many replicas are in which state."""
    deployments = found.deployments.values() if found else ()
    return {str(state): count for one in deployments for state, count in one.replica_states.items()}


def _resources() -> dict[str, float]:
    """What no replica has taken."""
    return dict(ray.available_resources())  # type: ignore[no-untyped-call]  # Ray leaves it open


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
