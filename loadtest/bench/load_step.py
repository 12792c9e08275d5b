"""A load step: open-loop arrivals from half of what the service can do to four times that, and back.

Capacity is what a closed loop gets from the best tier that `auto` walks. Beyond it tiers should fall first, then some
requests be refused with Retry-After; whoever is admitted should be answered in time, and soon after the step all of it
should be as before.
"""

import math
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from loadtest import open_loop, workload
from loadtest.bench import closed_loop, machine
from loadtest.bench.load_plot import plot
from loadtest.bench.output import Output
from loadtest.bench.service import Service
from loadtest.bench.venvs import BenchError
from loadtest.open_loop import Step
from loadtest.seconds import GOOD, SHED, Shot, per_second, table, total

FACTORS = (0.5, 1.0, 2.0, 3.0, 4.0, 0.5, 0.5)
RECOVERY_S = 5.0


@dataclass(frozen=True)
class Plan:
    """Seconds a step, deadline of every request, tier whose throughput is the capacity, callers that measure it.

    `connections` are open from the start, as those of a proxy's pool: the event loop accepts one new connection a turn,
    which under load is a queue of its own.
    """

    seconds: float = 6.0
    deadline_ms: float = 250.0
    tier: str = "k50"
    callers: int = 32
    users: int = 2000
    connections: int = 512
    capacity: float = 0.0
    factors: tuple[float, ...] = FACTORS


def run_load_step(
    bundle: Path,
    plan: Plan | None = None,
    settings: dict[str, object] | None = None,
    figure: Path | None = None,
    seed: int = 0,
    json_output: bool = False,
) -> dict[str, Any]:
    """Measure the capacity, run the steps, print a line a second; `figure`: where to draw it (.svg or .png).

    Raises:
        BenchError: a service that does not start, or a capacity run that was not answered.
        WorkloadError: the bundle has no catalogue.
    """
    plan, out = plan or Plan(), Output(json_output)
    if len(plan.factors) < 2 or min(plan.factors) <= 0 or plan.seconds < 1:
        raise BenchError("a load step needs two positive factors and a second for each")
    items = workload.read_items(bundle)
    with machine.pinned() as cores, tempfile.TemporaryDirectory(prefix="promise-bench-") as folder:
        result = machine.describe(cores) | {"bundle": bundle.name, "plan": asdict(plan)}
        result |= {"settings": settings or {}}
        own = {"bundle": bundle.resolve(), **(settings or {})}
        with Service(Path(folder, "service.log"), cores.service, **own) as service:
            capacity = plan.capacity or _capacity(service, items, plan, seed)
            schedule = [Step(factor * capacity, plan.seconds) for factor in plan.factors]
            began, spent = time.perf_counter(), time.process_time()
            shots = _steps(service, items, plan, schedule, seed)
            busy = (time.process_time() - spent) / (time.perf_counter() - began)
    deadline_s = plan.deadline_ms / 1000
    rows = [row.plain() for row in per_second(shots, deadline_s)]
    result |= {"capacity": capacity, "seconds": rows, "total": total(shots, deadline_s).plain(), "driver_busy": busy}
    result |= findings(shots, plan, capacity)
    _show(result, shots, out)
    if figure is not None:
        plot(rows, [step.rate for step in schedule], plan.seconds, plan.deadline_ms, figure)
    out.end(result)
    return result


def _capacity(service: Service, items: workload.Items, plan: Plan, seed: int) -> float:
    """Answers a second from the named tier, the middle of three runs; the first of them is also the warm-up."""
    rates = []
    for number in range(4):
        visits = workload.visits(items, plan.users, 20 * plan.callers, seed=seed + 100 + number)
        bodies = [workload.recommend(visit.history, k=10, budget=plan.tier) for visit in visits]
        rates.append(closed_loop.per_second(closed_loop.answered(closed_loop.run(service.url, bodies, plan.callers))))
    return sorted(rates[1:])[1]


def _steps(service: Service, items: workload.Items, plan: Plan, schedule: Sequence[Step], seed: int) -> list[Shot]:
    times = open_loop.arrivals(schedule, seed=seed)
    visits = workload.visits(items, plan.users, len(times), bought=0.2, seed=seed)
    headers = {"X-Request-Timeout-Ms": f"{plan.deadline_ms:g}"}
    bodies = [workload.recommend(visit.history, headers, k=10, budget="auto") for visit in visits]
    return open_loop.run(service.url, bodies.__getitem__, times, connections=plan.connections)


def findings(shots: Sequence[Shot], plan: Plan, capacity: float) -> dict[str, Any]:
    """What fell first, whether the admitted were in time, how long recovery took."""
    deadline_s = plan.deadline_ms / 1000
    steps = [[shot for shot in shots if n <= shot.intended / plan.seconds < n + 1] for n in range(len(plan.factors))]
    lowered = min((shot.intended for shot in shots if _lowered(shot)), default=None)
    shed = min((shot.intended for shot in shots if shot.status == SHED), default=None)
    found: dict[str, Any] = {
        "steps": [_step(part, factor * capacity, plan) for part, factor in zip(steps, plan.factors, strict=True)],
        "first_lowered_s": lowered,
        "first_shed_s": shed,
        "tiers_fell_first": lowered is not None and (shed is None or lowered < shed),
        "failed": sum(shot.failed for shot in shots),
        "missed": sum(shot.late(deadline_s) for shot in shots),
        "missed_by_a_fifth": sum(shot.late(deadline_s, 1.2) for shot in shots),
        "worst_over_deadline": max((shot.latency_s / deadline_s for shot in shots if shot.status == GOOD), default=0.0),
        "recovery_s": recovery(shots, plan),
    }
    in_time = not found["failed"] and not found["missed_by_a_fifth"]
    recovered = found["recovery_s"] is not None and found["recovery_s"] <= RECOVERY_S
    return found | {"kept": found["tiers_fell_first"] and in_time and recovered}


def recovery(shots: Sequence[Shot], plan: Plan) -> int | None:
    """Whole seconds from the end of the last step above the first until every later second is calm; None: never.

    Calm: nothing shed or late, and no larger share lowered by load than in the first step, give or take a twentieth.
    """
    calm = plan.factors[0]
    begin = plan.seconds * (1 + max(n for n, factor in enumerate(plan.factors) if factor > calm))
    usual = _share_lowered([shot for shot in shots if shot.intended < plan.seconds])
    end, deadline_s = plan.seconds * len(plan.factors), plan.deadline_ms / 1000
    back = end - begin
    while back >= 1:
        part = [shot for shot in shots if begin + back - 1 <= shot.intended < begin + back]
        troubled = any(shot.status == SHED or shot.late(deadline_s) for shot in part)
        if troubled or _share_lowered(part) > usual + 0.05:
            break
        back -= 1
    return None if back > end - begin - 1 else math.ceil(back)


def _lowered(shot: Shot) -> bool:
    return shot.status == GOOD and shot.answer.get("budget", {}).get("reason") in ("load", "deadline")


def _share_lowered(shots: Sequence[Shot]) -> float:
    return sum(map(_lowered, shots)) / max(1, len(shots))


def _step(shots: Sequence[Shot], rate: float, plan: Plan) -> dict[str, Any]:
    row = total(shots, plan.deadline_ms / 1000).plain()
    in_time = sum(shot.status == GOOD for shot in shots) - row["missed"]
    return {"rate": rate} | row | {"goodput": in_time / plan.seconds}


def _show(result: dict[str, Any], shots: Sequence[Shot], out: Output) -> None:
    plan = result["plan"]
    out.header(f"Load step: {result['bundle']}, budget auto, deadline {plan['deadline_ms']:g} ms", result)
    own = ", ".join(f"{name} {value}" for name, value in result["settings"].items()) or "as they are"
    out.say(f"{plan['connections']} connections opened before; the service's settings: {own}")
    out.say(f"capacity: {result['capacity']:.0f} requests a second of tier {plan['tier']} ({plan['callers']} callers)")
    out.say(table(per_second(shots, plan["deadline_ms"] / 1000)))
    names = ["x capacity", "offered/s", "goodput/s", "shed", "p50 ms", "p99 ms", "missed", "tiers"]
    out.table(names, [_step_line(*pair) for pair in zip(plan["factors"], result["steps"], strict=True)])
    lowered, shed = _seconds(result["first_lowered_s"]), _seconds(result["first_shed_s"])
    out.say(f"first tier lowered by load at {lowered}, first refusal at {shed}; {result['failed']} failed")
    late, worst = result["missed_by_a_fifth"], result["worst_over_deadline"]
    out.say(f"{result['missed']} answers late, {late} by more than a fifth (worst: {worst:.2f} of the deadline)")
    out.say(f"calm again after {_seconds(result['recovery_s'])}")
    out.say(f"driver: {result['driver_busy']:.0%} of its core, at most {result['total']['late_ms']:g} ms late")
    out.say("kept" if result["kept"] else "not kept")


def _step_line(factor: float, step: dict[str, Any]) -> list[object]:
    tiers = " ".join(f"{name}:{count}" for name, count in step["tiers"].items())
    return [factor, step["rate"], step["goodput"], step["shed"], step["p50_ms"], step["p99_ms"], step["missed"], tiers]


def _seconds(value: float | None) -> str:
    return "no time" if value is None else f"{value:.1f} s"
