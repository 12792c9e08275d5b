"""A real Prometheus scrapes a real service under load: every expression of the dashboard and the rules finds data."""

import math
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from promql import OPS, marked, mistakes, offered, rules, shown
from redis_server import RedisServer, free_port

from loadtest.bench.service import Service

ROOT = Path(__file__).resolve().parents[2]
EXPERIMENTS = """
experiments:
  - name: budget
    buckets: [{name: control, weight: 0.5, tier: k10}, {name: deep, weight: 0.5, tier: k50}]
"""
KINDS = ("shed", "degraded", "feedback", "prm_rescued", "cache_requests", "exposures")
LOAD_S = 4.0  # several scrapes apart
PATIENCE_S = 20.0  # for the last scrape and the rules after it
WAIT_S = 60.0  # for Prometheus, on a machine that is busy elsewhere
VARIABLES = {"$__rate_interval": "1m", '"$instance"': '".*"', '"$bucket"': '".*"'}

pytestmark = [
    pytest.mark.skipif(not shutil.which("prometheus"), reason="prometheus is not installed"),
    pytest.mark.skipif(
        not (ROOT / "models/bundles/beauty/manifest.json").is_file(), reason="this checkout ships no bundle"
    ),
]


@dataclass
class Watched:
    """The service and the Prometheus that scrapes it."""

    service: Service
    client: httpx.Client

    def get(self, path: str, **parameters: str) -> Any:
        answer = self.client.get(f"/api/v1/{path}", params=parameters).json()
        assert answer["status"] == "success", f"{parameters}: {answer}"
        return answer["data"]

    def values(self, expr: str) -> list[float]:
        """The values that an expression has now, those that are no number left out."""
        for variable, value in VARIABLES.items():
            expr = expr.replace(variable, value)
        found = [float(one["value"][1]) for one in self.get("query", query=expr)["result"]]
        return [value for value in found if not math.isnan(value)]

    def without_data(self, exprs: Iterable[str]) -> list[str]:
        """The expressions that find nothing, soon after the load: a scrape that came late leaves a gap of a second."""
        give_up, left = time.monotonic() + PATIENCE_S, list(exprs)
        while (left := [expr for expr in left if not self.values(expr)]) and time.monotonic() < give_up:
            time.sleep(0.5)
        return left


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory, redis_server: RedisServer) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("prometheus")
    experiments = folder / "experiments.yaml"
    experiments.write_text(EXPERIMENTS)
    log, store = folder / "service.log", redis_server.url
    chosen = Service(log, redis_url=store, experiments=experiments, max_concurrent=2, target_ms=40)
    with chosen as service, Prometheus(folder, service.port) as url, http(url) as client:
        one = Watched(service, client)
        until(lambda: one.values('up{job="promise"} == 1'))
        load(service)
        yield one


class Prometheus:
    """Started with the committed configuration, quicker and aimed at `port`; its address."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.target = folder, f"127.0.0.1:{port}"
        self.address = f"127.0.0.1:{free_port()}"

    def __enter__(self) -> str:
        file, data = self.folder / "prometheus.yml", self.folder / "data"
        file.write_text(yaml.safe_dump(self._config()))
        options = [f"--config.file={file}", f"--storage.tsdb.path={data}", f"--web.listen-address={self.address}"]
        with (self.folder / "prometheus.log").open("w") as log:
            self.process = subprocess.Popen(["prometheus", *options], stdout=log, stderr=log)
        until(lambda: httpx.get(f"http://{self.address}/-/ready", trust_env=False).status_code == 200)
        return f"http://{self.address}"

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(30)

    def _config(self) -> Any:
        config = yaml.safe_load((OPS / "prometheus" / "prometheus.yml").read_text("utf-8"))
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["rule_files"] = [str(OPS / "prometheus" / pattern) for pattern in config["rule_files"]]
        config["scrape_configs"][0]["static_configs"][0]["targets"] = [self.target]
        return config


def http(url: str) -> httpx.Client:
    return httpx.Client(base_url=url, timeout=30, trust_env=False)  # a proxy must not see 127.0.0.1


def until(condition: Callable[[], object]) -> None:
    give_up = time.monotonic() + WAIT_S
    while True:
        try:
            if condition():
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < give_up, "waited in vain"
        time.sleep(0.2)


def load(service: Service) -> None:
    """Both buckets, short deadlines, too many at once, feedback: for a while, until all happened; then a report."""
    with http(service.url) as client, ThreadPoolExecutor(4) as pool:
        (history,) = client.get("/catalogue/samples", params={"limit": "1"}).json()["samples"]
        end = time.monotonic() + LOAD_S
        users = iter(range(0, 12 * 1000, 12))
        while time.monotonic() < end or missing(service):
            first = next(users)
            list(pool.map(lambda user: visit(client, user, history), range(first, first + 12)))
        client.get("/experiments/budget/report").raise_for_status()


def missing(service: Service) -> list[str]:
    """What has not happened yet."""
    figures = service.metrics()
    return [kind for kind in KINDS if not sum(figures[name] for name in figures if name.startswith(f"promise_{kind}_"))]


def visit(client: httpx.Client, user: int, history: list[str]) -> None:
    """Every third user has little time and wants much, every fifth wants to know why; all say what they did."""
    hurry = user % 3 == 0
    headers = {"X-Request-Timeout-Ms": str(1 + user % 50)} if hurry else {}
    body = {"user_id": f"u{user}", "history": history[user % 3 :], "explain": user % 5 == 0}
    answer = client.post("/recommend", json=body | ({"budget": "k1000"} if hurry else {}), headers=headers)
    if answer.status_code == 200 and (items := answer.json()["items"]):
        event = "click" if user % 2 else "impression"
        token = answer.json()["feedback_token"]
        body = {"feedback_token": token, "item_id": items[0]["item_id"], "event": event}
        client.post("/feedback", json=body).raise_for_status()


def test_every_expression_of_the_dashboard_finds_data(watched: Watched) -> None:
    assert not watched.without_data(expr for _, expr in shown())
    assert not watched.values("rate(promise_request_total[$__rate_interval])"), "a wrong name must find nothing"


def test_the_annotations_are_understood(watched: Watched) -> None:
    for _, expr in marked():
        watched.values(expr)


def test_every_rule_evaluates_and_every_record_has_data(watched: Watched) -> None:
    assert not watched.without_data(rule["record"] for rule in rules() if "record" in rule)
    evaluated = [rule for group in watched.get("rules")["groups"] for rule in group["rules"]]
    assert len(evaluated) == len(rules())
    assert not [(rule["name"], rule.get("lastError")) for rule in evaluated if rule["health"] != "ok"]


def test_the_service_exports_every_name_and_label_that_is_asked_for(watched: Watched) -> None:
    known = offered(watched.service.call("GET", "/metrics").body.decode())
    asked = [expr for _, expr in [*shown(), *marked()]] + [rule["expr"] for rule in rules()]
    wrong = {mistake for expr in asked for mistake in mistakes(expr, known)}
    assert wrong == {"there is no promise_history_evicted_total"}, "histories are in Redis here, which evicts by itself"


def test_scrapes_and_probes_are_not_counted_as_requests(watched: Watched) -> None:
    before = watched.service.metrics()
    for path in ("/metrics", "/health/ready"):
        watched.service.call("GET", path)
    after = watched.service.metrics()
    assert [key for key in after if key.startswith("promise_requests_total") and after[key] != before[key]] == []
