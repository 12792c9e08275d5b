"""What a failing Redis costs: the same load on one service while Redis is killed, paused, slowed, spoiled.

Every request has a history that is in Redis, and the service's own memory for encodings is off, so that each one asks
Redis: the worst case. All answers are compared with those of a service without Redis. Added time is measured against
the healthy part of the same row; a part's p99 is the median of its seconds' p99, so that one stall of the machine does
not decide (the p99 over all of a part is in the JSON).
"""

import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from loadtest import open_loop, workload
from loadtest.bench import answers, closed_loop, machine
from loadtest.bench.fault_rows import ROWS, SLOWED, Scene
from loadtest.bench.output import Output
from loadtest.bench.proxy import DelayProxy
from loadtest.bench.redis_server import RedisServer
from loadtest.bench.service import Service
from loadtest.bench.venvs import BenchError
from loadtest.seconds import GOOD, Shot, percentiles_ms

FIRST_S = 1.0  # after this long the breaker is expected to be open
FIRST_LIMIT_MS, OPEN_LIMIT_MS = 60.0, 3.0
HANGS = ("paused", SLOWED)

PARTS = {"healthy_s": "healthy", "fault_s": "with the fault", "after_s": "after it"}


@dataclass(frozen=True)
class Plan:
    """Seconds healthy, with the fault, and after it; requests a second, evenly spaced; their tier and users."""

    healthy_s: float = 6.0
    fault_s: float = 10.0
    after_s: float = 6.0
    rate: float = 0.0
    share: float = 0.35
    tier: str = "k10"
    users: int = 1200

    @property
    def end_s(self) -> float:
        return self.healthy_s + self.fault_s


def run_faults(
    bundle: Path, plan: Plan | None = None, rows: Sequence[str] = tuple(ROWS), seed: int = 0, json_output: bool = False
) -> dict[str, Any]:
    """One row per fault; the rate is `share` of what the service without Redis can answer, unless the plan names one.

    Raises:
        BenchError: an unknown row, no redis-server, or a service that does not start or answer.
        WorkloadError: the bundle has no catalogue.
    """
    plan, out = plan or Plan(), Output(json_output)
    if unknown := set(rows) - set(ROWS):
        raise BenchError(f"{', '.join(sorted(unknown))} is no row; there are {', '.join(ROWS)}")
    histories = workload.distinct(workload.read_items(bundle), plan.users, seed)
    bodies = [workload.recommend(history, k=10, budget=plan.tier) for history in histories]
    with machine.pinned() as cores, tempfile.TemporaryDirectory(prefix="promise-bench-") as folder:
        result = machine.describe(cores) | {"bundle": bundle.name}
        base = {"bundle": bundle.resolve(), "cache_mb": 0, "max_concurrent": 512}
        with Service(Path(folder, "without.log"), cores.service, **base) as without:
            reference, capacity = _reference(without, bodies)
        rate = plan.rate or round(plan.share * capacity)
        result |= {"capacity": capacity, "rate": rate, "plan": asdict(plan), "rows": []}
        _header(out, result)
        for name in rows:
            with RedisServer() as redis, DelayProxy(redis.port) as proxy:
                machine.pin(redis.pid, cores.driver)
                url = f"redis://127.0.0.1:{proxy.port if name == SLOWED else redis.port}"
                with Service(Path(folder, "with.log"), cores.service, **base, redis_url=url) as service:
                    scene = Scene(redis, proxy)
                    shots = _load(service, scene, name, bodies, plan, rate, seed)
                    result["rows"].append(_row(name, shots, reference, plan, scene, len(bodies)))
            out.say(_line(result["rows"][-1]))
    result |= {"kept": all(row["kept"] for row in result["rows"])}
    out.say(f"the driver was at most {max(row['late_ms'] for row in result['rows']):.1f} ms late")
    out.say(_verdict(result))
    out.end(result)
    return result


def _reference(service: Service, bodies: Sequence[bytes]) -> tuple[list[answers.Answer], float]:
    """Every user's answer without Redis, and answers a second from 16 callers."""
    shots = closed_loop.answered(closed_loop.run(service.url, bodies))
    busy = closed_loop.answered(closed_loop.run(service.url, bodies, 16))
    return [shot.answer for shot in shots], closed_loop.per_second(busy)


def _load(
    service: Service, scene: Scene, name: str, bodies: Sequence[bytes], plan: Plan, rate: float, seed: int
) -> list[Shot]:
    """Fill Redis, then the open loop; a shot's number is its user."""
    fill(service, scene, bodies)
    times = open_loop.arrivals([open_loop.Step(rate, plan.end_s + plan.after_s)], poisson=False)
    rng = np.random.default_rng(seed)
    turns = [rng.permutation(len(bodies)) for _ in range(1 + len(times) // len(bodies))]
    users = np.concatenate(turns)[: len(times)].tolist()
    beside = ROWS[name](scene, plan.healthy_s, plan.end_s)
    shots = open_loop.run(service.url, lambda number: bodies[users[number]], times, beside=beside)
    for shot in shots:
        shot.number = users[shot.number]
    return shots


def fill(service: Service, scene: Scene, bodies: Sequence[bytes], rounds: int = 10) -> None:
    """Every body once, and again until all encodings are in Redis: writes happen behind the answers.

    Raises:
        BenchError: they do not get there.
    """
    for _ in range(rounds):
        closed_loop.answered(closed_loop.run(service.url, bodies, 4))
        time.sleep(0.5)
        if (found := len(scene.encodings())) >= len(bodies):
            return
    raise BenchError(f"only {found} of {len(bodies)} encodings are in Redis")


def _row(
    name: str, shots: list[Shot], reference: list[answers.Answer], plan: Plan, scene: Scene, keys: int
) -> dict[str, Any]:
    """One line of the table, as plain figures."""
    begin = plan.healthy_s
    parts = {
        "healthy": _between(shots, min(1.0, begin / 2), begin),
        "first": _between(shots, begin, begin + FIRST_S),
        "open": _between(shots, begin + FIRST_S, plan.end_s),
        "after": _between(shots, plan.end_s + 2, plan.end_s + plan.after_s),
    }
    p99 = {part: typical_p99_ms(found) for part, found in parts.items()}
    added = {part: (p99[part] or 0.0) - (p99["healthy"] or 0.0) for part in ("first", "open", "after")}
    good = [shot for shot in shots if shot.status == GOOD]
    wrong = answers.different([reference[shot.number] for shot in good], [shot.answer for shot in good])
    row = {
        "name": name,
        "requests": len(shots),
        "failed": len(shots) - len(good),
        "different": len(wrong),
        "p50_ms": {part: percentiles_ms(found)[0] for part, found in parts.items()},
        "p99_ms": p99,
        "p99_whole_ms": {part: percentiles_ms(found)[2] for part, found in parts.items()},
        "added_p99_ms": added,
        "cache": {part: _cache(found) for part, found in parts.items()},
        "keys": keys,
        "late_ms": max(1000 * (shot.sent - shot.intended) for shot in shots),
    }
    if scene.corrupted:
        row |= {"corrupted": len(scene.corrupted), "repaired": scene.repaired()}
    return row | {"kept": kept(row)}


def typical_p99_ms(shots: Sequence[Shot]) -> float | None:
    """The median over whole seconds of intended starts of that second's p99."""
    seconds: dict[int, list[Shot]] = {}
    for shot in shots:
        seconds.setdefault(int(shot.intended), []).append(shot)
    found = [p99 for second in seconds.values() if (p99 := percentiles_ms(second)[2]) is not None]
    return statistics.median(found) if found else None


def kept(row: dict[str, Any]) -> bool:
    """Nothing failed or differed, and where Redis hung, requests waited for it no longer than promised."""
    hung = row["name"] in HANGS
    quick = added_within(row, "first", FIRST_LIMIT_MS) and added_within(row, "open", OPEN_LIMIT_MS)
    return not row["failed"] and not row["different"] and (quick or not hung)


def added_within(row: dict[str, Any], part: str, limit_ms: float) -> bool:
    return bool(row["added_p99_ms"][part] < limit_ms)


def _between(shots: Sequence[Shot], begin: float, end: float) -> list[Shot]:
    return [shot for shot in shots if begin <= shot.intended < end]


def _cache(shots: Sequence[Shot]) -> dict[str, int]:
    return dict(Counter(str(shot.answer.get("cache")) for shot in shots if shot.status == GOOD))


def _header(out: Output, result: dict[str, Any]) -> None:
    plan = result["plan"]
    out.header(
        f"Faults of Redis: {result['bundle']}, tier {plan['tier']}, no encodings in the service's memory", result
    )
    capacity, rate = result["capacity"], result["rate"]
    out.say(f"{rate:.0f} requests a second, evenly spaced; the service answers {capacity:.0f} a second without Redis")
    parts = (f"{plan[part]:g} s {name}" for part, name in PARTS.items())
    out.say(f"{', '.join(parts)}; p99 in ms from the intended start (median of the seconds'); cache hits in each part")
    out.say(
        f"{'':<17}{'requests':>9}{'failed':>7}{'differ':>7}{'healthy':>9}{'first s':>9}{'then':>8}{'after':>8}"
        f"{'added first':>13}{'then':>8}  {'hits':>22}"
    )


def _line(row: dict[str, Any]) -> str:
    p99, added = row["p99_ms"], row["added_p99_ms"]
    hits = " ".join(f"{_hits(row['cache'][part]):.0%}" for part in row["cache"])
    repaired = f"; {row['repaired']} of {row['corrupted']} repaired" if "repaired" in row else ""
    return (
        f"{row['name']:<17}{row['requests']:>9}{row['failed']:>7}{row['different']:>7}"
        + "".join(f"{p99[part] or 0:>{width}.1f}" for part, width in zip(p99, (9, 9, 8, 8), strict=True))
        + f"{added['first']:>+13.1f}{added['open']:>+8.1f}  {hits:>22}{repaired}"
    )


def _hits(found: dict[str, int]) -> float:
    return found.get("hit", 0) / max(1, sum(found.values()))


def _verdict(result: dict[str, Any]) -> str:
    broken = [row["name"] for row in result["rows"] if not row["kept"]]
    return (
        f"not kept: {', '.join(broken)}"
        if broken
        else "kept: none failed, none differs; a hang adds less than "
        f"{FIRST_LIMIT_MS:.0f} ms to the p99 of its first second and less than {OPEN_LIMIT_MS:.0f} ms from then on"
    )
