"""The service beside a failing Redis, both real: no request fails, every answer is the one without Redis."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from redis_server import DelayProxy, RedisServer

from loadtest import open_loop, workload
from loadtest.bench import answers, closed_loop
from loadtest.bench.fault_rows import ROWS, Scene
from loadtest.bench.faults import fill
from loadtest.bench.service import Service
from loadtest.open_loop import Step
from loadtest.seconds import GOOD, Shot, percentiles_ms

if TYPE_CHECKING:
    from tiny import Bundles

USERS, TIMEOUT_MS = 60, 300.0
HEALTHY_S, FAULT_S, AFTER_S = 0.4, 1.4, 0.4


@dataclass(frozen=True)
class Stage:
    """A service whose every look-up asks Redis, and every user's answer of a service without Redis."""

    service: Service
    scene: Scene
    bodies: list[bytes]
    wanted: Sequence[answers.Answer]

    def play(self, row: str) -> list[Shot]:
        """The load with what the row does in its middle; shots are numbered by user."""
        schedule = [Step(40, HEALTHY_S + FAULT_S + AFTER_S)]
        beside = ROWS[row](self.scene, HEALTHY_S, HEALTHY_S + FAULT_S)
        times = open_loop.arrivals(schedule, poisson=False)
        shots = open_loop.run(self.service.url, lambda n: self.bodies[n % USERS], times, beside=beside)
        for shot in shots:
            shot.number %= USERS
        return shots

    def hits(self) -> int:
        """How many of the users' encodings are found, now."""
        shots = closed_loop.answered(closed_loop.run(self.service.url, self.bodies))
        return sum(shot.answer["cache"] == "hit" for shot in shots)


@pytest.fixture(scope="module")
def stage(bundles: "Bundles", tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    log = tmp_path_factory.mktemp("faults") / "service.log"
    bodies = requests(bundles.inner)
    with Service(log, bundle=bundles.inner, cache_mb=0) as without:
        wanted = [shot.answer for shot in closed_loop.answered(closed_loop.run(without.url, bodies))]
    with RedisServer() as redis, DelayProxy(redis.port, 0.0) as proxy:
        url = f"redis://127.0.0.1:{proxy.port}"
        with Service(log, bundle=bundles.inner, cache_mb=0, redis_url=url, redis_timeout_ms=TIMEOUT_MS) as service:
            yield Stage(service, Scene(redis, proxy, delay_s=5.0), bodies, wanted)


def requests(bundle: Path) -> list[bytes]:
    histories = workload.distinct(workload.read_items(bundle), USERS, seed=1)
    return [workload.recommend(history, k=10, budget="k10") for history in histories]


def check(stage: Stage, shots: list[Shot]) -> None:
    assert [shot.status for shot in shots] == [GOOD] * len(shots)
    assert not answers.different([stage.wanted[shot.number] for shot in shots], [shot.answer for shot in shots])


def healthy(stage: Stage) -> None:
    """Everything is in Redis and found there."""
    give_up = time.monotonic() + 60
    while stage.hits() < USERS:
        assert time.monotonic() < give_up, "the service does not come back to Redis"
        time.sleep(0.2)


@pytest.mark.parametrize("row", list(ROWS))
def test_no_request_fails_no_answer_changes_and_it_recovers(stage: Stage, row: str) -> None:
    healthy(stage)
    stage.scene.corrupted.clear()
    shots = stage.play(row)
    check(stage, shots)
    said = {shot.answer["cache"] for shot in shots if shot.intended >= HEALTHY_S}
    assert (said == {"hit"}) == (row == "no fault")  # what should fail has failed
    healthy(stage)
    assert stage.scene.repaired() == len(stage.scene.corrupted)
    assert (len(stage.scene.corrupted) > 0) == (row == "corrupted values")


@pytest.mark.parametrize("row", ["paused", "slowed"])
def test_while_redis_hangs_most_requests_do_not_wait_for_it(stage: Stage, row: str) -> None:
    healthy(stage)
    shots = [shot for shot in stage.play(row) if HEALTHY_S + FAULT_S / 2 <= shot.intended < HEALTHY_S + FAULT_S]
    assert (percentiles_ms(shots)[0] or 0) < TIMEOUT_MS / 2


def test_it_starts_while_redis_is_away(bundles: "Bundles", tmp_path: Path, stage: Stage) -> None:
    with Service(tmp_path / "log", bundle=bundles.inner, cache_mb=0, redis_url="redis://127.0.0.1:1") as service:
        shots = closed_loop.run(service.url, stage.bodies)
        for shot in shots:
            assert shot.answer["cache"] in ("miss", "error")
        check(stage, shots)


def test_filling_waits_for_the_last_write(stage: Stage) -> None:
    stage.scene.flush()
    fill(stage.service, stage.scene, stage.bodies)
    assert stage.hits() == USERS
