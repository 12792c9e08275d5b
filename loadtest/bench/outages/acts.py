"""Faults of replicas, of Redis, and of the way between them."""

import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from loadtest.bench.outages import clients as clients
from loadtest.bench.outages import engine as engine
from loadtest.bench.outages import ray as ray
from loadtest.bench.outages.stage import Act, Needs, Stage, reload
from loadtest.bench.redis_server import RedisError

HOUR_S = 3600.0
CLOSED_PORT = 1


def nothing(_stage: Stage) -> None:
    """A fault that mends itself has nothing to undo."""


@dataclass(frozen=True)
class Fault:
    """What happens at its beginning and its end, and what is looked at once the load is over.

    `predicted_s`: how long after the end (`mends`: after the beginning, since it mends itself) trouble is expected to
    last; `limit_s`: how long it may.
    """

    begin: Act
    end: Act = nothing
    after: Act = nothing
    needs: Needs = field(default_factory=Needs)
    mends: bool = False
    predicted_s: float = 0.0
    limit_s: float = 2.0


def _kill(stage: Stage) -> None:
    stage.replicas[0].kill()


def _restarted(stage: Stage) -> None:
    stage.expect(stage.supervisor.wait(), "a killed replica does not come back")
    stage.said.append(f"started again {sum(one.starts - 1 for one in stage.replicas)}")


def _pause(stage: Stage) -> None:
    stage.replicas[0].pause()


def _resume(stage: Stage) -> None:
    stage.replicas[0].resume()


def _redis(*command: str | int) -> Act:
    return lambda stage: stage.redis.command(*command)


def _kicked(stage: Stage) -> None:
    """Every client of Redis has to connect anew."""
    stage.redis.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


def _name_gone(stage: Stage) -> None:
    assert stage.names is not None
    stage.names.gone()
    try:
        _kicked(stage)
    except RedisError:
        stage.said.append("Redis was gone as well")


def _name_back(stage: Stage) -> None:
    assert stage.names is not None
    stage.names.known()


def _vanish(stage: Stage) -> None:
    assert stage.hole is not None
    stage.hole.vanish()


def _come_back(stage: Stage) -> None:
    assert stage.hole is not None
    stage.hole.come_back()


def _clock(seconds: float) -> Act:
    def act(stage: Stage) -> None:
        assert stage.clock is not None
        stage.clock.jump(seconds)

    return act


def _ends_in_time(stage: Stage) -> None:
    """A drain and an end are durations: no jump of the wall clock may stretch them."""
    began = time.monotonic()
    stage.replicas[0]._process.send_signal(signal.SIGTERM)
    stage.expect(stage.supervisor.wait(), "a replica told to end does not come back")
    stage.said.append(f"ended and started again in {time.monotonic() - began:.1f} s")


def _reload(stage: Stage) -> None:
    """Every replica reads its bundle anew, under whatever else is going on."""
    statuses = [reload(stage, replica).status for replica in stage.replicas if replica.alive]
    stage.expect(set(statuses) == {200}, f"reload was refused: {statuses}")
    stage.said.append(f"{len(statuses)} reloads")


def _wrong_times(stage: Stage) -> None:
    """Events of a caller whose clock is a day ahead, at the epoch, or counts milliseconds."""
    now, item = time.time(), "B0002JHI1I"
    for timestamp, wanted in ((now + 86_400, 200), (0.0, 200), (1000 * now, 422)):
        event = {"user_id": "wrong-clock", "item_id": item, "timestamp": timestamp}
        reply = stage.living.call("POST", "/events", {"events": [event]})
        stage.expect(reply.status == wanted, f"an event of the time {timestamp:.0f} got {reply.status}")


def _kill_primary(stage: Stage) -> None:
    assert stage.sets is not None
    stage.kept["killed"] = stage.sets.kill_primary()


def _primary_back(stage: Stage) -> None:
    stage.kept["killed"].restart()


def _log_full(stage: Stage) -> None:
    assert stage.disk is not None
    stage.disk.fill()
    for _ in range(20):
        _feedback(stage)


def _feedback(stage: Stage) -> None:
    """Ask for a list as a new user and click its first item; what is accepted is remembered."""
    replica = stage.living
    sent: list[tuple[str, str]] = stage.kept.setdefault("clicks", [])
    answer = replica.call("POST", "/recommend", {"user_id": f"reader-{len(sent) % 20}", "k": 1, "budget": "k10"}).json()
    item = answer["items"][0]["item_id"]
    body = {"feedback_token": answer["feedback_token"], "item_id": item, "event": "click"}
    if replica.call("POST", "/feedback", body).status == 202:
        sent.append((answer["request_id"], item))


def _log_free(stage: Stage) -> None:
    assert stage.disk is not None
    stage.disk.free()


def _clicks_kept(stage: Stage) -> None:
    """Every accepted click is in an event log, a while after there is room again."""
    assert stage.disk is not None
    logs, clicks = sorted(stage.disk.path.glob("events-*.jsonl")), stage.kept.get("clicks", [])
    give_up, missing = time.monotonic() + 15, clicks
    while missing and time.monotonic() < give_up:
        text = "".join(log.read_text() for log in logs)
        missing = [one for one in clicks if not _told(text, *one)]
        time.sleep(0.1)
    stage.said.append(f"{len(clicks)} clicks accepted, {len(missing)} lost")
    stage.expect(bool(clicks) and not missing, f"{len(missing)} of {len(clicks)} accepted clicks are in no event log")


def _told(text: str, request_id: str, item: str) -> bool:
    return any(request_id in line and item in line for line in text.splitlines())


def _redis_disk_full(stage: Stage) -> None:
    assert stage.disk is not None
    stage.disk.fill()


def _redis_disk_free(stage: Stage) -> None:
    """It ends itself rather than accept what it cannot keep; whoever runs it starts it again."""
    assert stage.disk is not None
    stage.disk.free()
    if not stage.redis.alive:
        stage.said.append("Redis had ended itself")
        stage.redis.restart()


BREAKER_S, BREAKER_LIMIT_S = 2.4, 4.0  # the breaker's longest pause and a fifth


def _of_redis(begin: Act, end: Act, needs: Needs | None = None) -> Fault:
    return Fault(begin, end, needs=needs or Needs(), predicted_s=BREAKER_S, limit_s=BREAKER_LIMIT_S)


CONFIRMED = (("redis_confirm", 1),)  # a replica must hold an event before it is accepted: the primary may die then


RAY = Needs(ray=True, most_rate=30.0)  # one node, its proxy, the driver and Redis on one core: tries pile up above
COPY = Needs(bundle="copy")  # bundles beside it may be loaded
FAULTS: dict[str, Fault] = {
    "no fault": Fault(nothing),
    "replica killed": Fault(_kill, after=_restarted, mends=True, predicted_s=2.0, limit_s=6.0),
    "replica paused": Fault(_pause, _resume, predicted_s=0.5),
    "Redis killed": _of_redis(lambda stage: stage.redis.kill(), lambda stage: stage.redis.restart()),
    "Redis paused": _of_redis(lambda stage: stage.redis.pause(), lambda stage: stage.redis.resume()),
    "Redis full": Fault(_redis("CONFIG", "SET", "maxmemory", 1), _redis("CONFIG", "SET", "maxmemory", 0)),
    "Redis read-only": _of_redis(_redis("REPLICAOF", "127.0.0.1", CLOSED_PORT), _redis("REPLICAOF", "NO", "ONE")),
    "Redis vanished": _of_redis(_vanish, _come_back, Needs(hole=True)),
    "Redis disk full": _of_redis(_redis_disk_full, _redis_disk_free, Needs(disk="redis")),
    "DNS gone": _of_redis(_name_gone, _name_back, Needs(names=True)),
    "log disk full": Fault(_log_full, _log_free, _clicks_kept, Needs(disk="logs")),
    "clock ahead": Fault(_clock(HOUR_S), _clock(0), _ends_in_time, Needs(clock=True)),
    "clock back": Fault(_clock(-HOUR_S), _clock(0), _ends_in_time, Needs(clock=True)),
    "wrong event times": Fault(_wrong_times),
    "slow clients": Fault(clients.slow_clients, clients.slow_clients_leave),
    "half-open clients": Fault(clients.half_open),
    "too little memory": Fault(engine.too_little_memory, engine.enough_memory),
    "poisoned request": Fault(engine.poison_batches, needs=Needs(bundle="poisoned")),
    "deadly request": Fault(
        engine.deadly_request,
        after=engine.deaths,
        needs=Needs(bundle="deadly", replicas=3),
        mends=True,
        predicted_s=4.0,
        limit_s=8.0,
    ),
    "wrong bundles": Fault(engine.wrong_bundles, needs=COPY),
    "bundle cut short": Fault(engine.bundle_cut_short, needs=COPY),
    "reload": Fault(_reload, needs=COPY, mends=True, predicted_s=1.0, limit_s=4.0),
    "Sentinel failover": Fault(
        _kill_primary, needs=Needs(store="sentinel", settings=CONFIRMED), mends=True, predicted_s=3.0, limit_s=8.0
    ),
    "Cluster failover": Fault(  # its new primary has no replica before the old one is back
        _kill_primary, _primary_back, needs=Needs(store="cluster", settings=CONFIRMED), predicted_s=1.0, limit_s=8.0
    ),
    "Ray replica killed": Fault(ray.kill_replica, needs=RAY, mends=True, predicted_s=5.0, limit_s=15.0),
    "Ray node killed": Fault(ray.kill_node, needs=RAY, mends=True, predicted_s=5.0, limit_s=15.0),
}


def merged(faults: Sequence[Fault]) -> Needs:
    needs = Needs()
    for fault in faults:
        needs = needs | fault.needs
    return needs
