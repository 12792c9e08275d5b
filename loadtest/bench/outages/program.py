"""Real parts broken one at a time and in pairs, under load: what failed, what was wrong, what was lost, how long.

Replicas of the service over a real Redis answer lists and take events while a row's faults come and go. Callers follow
the retry policy of loadtest.bench.outages.policy. Afterwards every accepted event is looked for through the service.
"""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from loadtest.bench import machine
from loadtest.bench.outages.acts import Fault, merged
from loadtest.bench.outages.bundles import variant
from loadtest.bench.outages.figures import Figures, figures
from loadtest.bench.outages.load import Load, Traffic, run, traffic, until_well
from loadtest.bench.outages.policy import EVENTS, READS
from loadtest.bench.outages.ray import ray_staged
from loadtest.bench.outages.stage import Stage, staged
from loadtest.bench.outages.table import ROWS
from loadtest.bench.output import Output
from loadtest.bench.service import Service
from loadtest.bench.venvs import BenchError
from loadtest.open_loop import Beside
from loadtest.seconds import Shot

BASE: dict[str, object] = {"cache_mb": 0}  # every list asks Redis for its encoding
SECOND_S = 0.5  # the second fault of a pair begins so much later
WELL_S = 30.0


@dataclass(frozen=True)
class Plan:
    """Seconds before the fault, with it, and after it, and the load."""

    healthy_s: float = 2.0
    fault_s: float = 3.0
    after_s: float = 4.0
    load: Load = field(default_factory=Load)

    @property
    def end_s(self) -> float:
        return self.healthy_s + self.fault_s

    @property
    def whole_s(self) -> float:
        return self.end_s + self.after_s


def run_outages(
    bundle: Path, plan: Plan | None = None, rows: Sequence[str] = tuple(ROWS), seed: int = 0, json_output: bool = False
) -> dict[str, Any]:
    """One row after another, each with parts of its own.

    Raises:
        BenchError: an unknown row, or a healthy service that does not answer.
        WorkloadError: the bundle has no catalogue.
    """
    plan, out = plan or Plan(), Output(json_output)
    if unknown := set(rows) - set(ROWS):
        raise BenchError(f"{', '.join(sorted(unknown))} is no row; there are {', '.join(ROWS)}")
    made = traffic(bundle, plan.load, seed)
    with machine.pinned() as cores, tempfile.TemporaryDirectory(prefix="promise-outages-") as name:
        folder = Path(name)
        result = machine.describe(cores) | {"bundle": bundle.name, "plan": asdict(plan), "rows": []}
        _header(out, result)
        with Service(folder / "reference.log", cores.service, bundle=bundle.resolve(), **BASE) as reference:
            made.learn(reference)
        for number, row in enumerate(rows):
            result["rows"].append(one_row(row, bundle, folder / f"row-{number}", plan, made, cores))
            out.say(_line(result["rows"][-1]))
    result["kept"] = all(row["kept"] for row in result["rows"])
    out.say(_verdict(result))
    out.end(result)
    return result


def one_row(name: str, bundle: Path, folder: Path, plan: Plan, made: Traffic, cores: machine.Cores) -> dict[str, Any]:
    """One line of the table as plain figures; `why` says what was not kept."""
    faults = ROWS[name]
    needs = merged(faults)
    row: dict[str, Any] = {"name": name, "mends": all(fault.mends for fault in faults)}
    row |= {part: max(getattr(fault, part) for fault in faults) for part in ("predicted_s", "limit_s")}
    made = replace(made, began=time.time(), load=replace(made.load, rate=min(made.load.rate, needs.most_rate)))
    try:
        served = variant(needs.bundle, bundle, folder.parent / "bundles")
        opened = ray_staged(served, folder, cores, BASE) if needs.ray else staged(needs, served, folder, cores, BASE)
        with opened as stage:
            found = play(stage, faults, plan, made)
    except BenchError as error:
        return row | {"kept": False, "why": [str(error)], "said": []}
    why = reasons(found, row["limit_s"]) + stage.broken
    return row | found.plain() | {"kept": not why, "why": why, "said": stage.said}


def play(stage: Stage, faults: Sequence[Fault], plan: Plan, made: Traffic) -> Figures:
    """Load, faults, and what is left of the events once all is well again."""
    made.store(stage.living)
    beside: list[Beside] = []
    for number, fault in enumerate(faults):
        begin = plan.healthy_s + number * SECOND_S
        beside += [(begin, lambda act=fault.begin: act(stage)), (plan.end_s, lambda act=fault.end: act(stage))]  # type: ignore[misc]  # the default binds the loop's act
    shots = run(stage.urls, made, plan.whole_s, beside, stage.reads)
    for fault in faults:
        fault.after(stage)
    mended = plan.healthy_s if all(fault.mends for fault in faults) else plan.end_s
    return figures(made, shots, _lost(stage, made, shots), plan.healthy_s, plan.end_s, mended)


def _lost(stage: Stage, made: Traffic, shots: Sequence[Shot]) -> int:
    """Events that no history has, as soon as histories can be read again."""
    stage.supervisor.wait()
    lost: list[int] = []

    def look() -> bool:
        lost[:] = made.missing(stage.living, shots)
        return True

    if not until_well(look, WELL_S):
        raise BenchError("afterwards histories cannot be read")
    return len(lost)


def reasons(found: Figures, limit_s: float) -> list[str]:
    """Why the row is not kept, in words; empty: it is."""
    parts = [
        (found.failed, f"{found.failed} failed ({', '.join(found.errors)})"),
        (found.wrong, f"{found.wrong} wrong"),
        (found.lost, f"{found.lost} accepted events lost"),
        (found.events - found.accepted, f"{found.events - found.accepted} events never accepted"),
        (found.trouble_s > limit_s, f"trouble for {found.trouble_s:.1f} s, more than {limit_s:g} s"),
    ]
    return [said for count, said in parts if count]


def _header(out: Output, result: dict[str, Any]) -> None:
    plan, load = result["plan"], result["plan"]["load"]
    out.header(f"Outages: {result['bundle']}, tier {load['tier']}, encodings in Redis only", result)
    out.say(f"{load['rate']:g} requests a second, a quarter of them events; retry policy: {READS}; events: {EVENTS}")
    out.say(f"{plan['healthy_s']:g} s healthy, {plan['fault_s']:g} s with the fault, {plan['after_s']:g} s after it")
    out.say(
        f"{'':<32}{'lists':>7}{'failed':>8}{'again':>7}{'degraded':>10}{'wrong':>7}{'events':>8}{'lost':>6}"
        f"{'longest s':>11}{'recovered s':>13}{'predicted':>11}{'p99 ms':>9}"
    )


def _line(row: dict[str, Any]) -> str:
    if "requests" not in row:
        return f"{row['name']:<32} not run: {'; '.join(row['why'])}"
    p99 = row["p99_ms"]["with"]
    said = "; ".join([*row["said"], *(f"NOT KEPT: {why}" for why in row["why"])])
    return (
        f"{row['name']:<32}{row['requests']:>7}{row['failed']:>8}{row['again']:>7}{row['degraded']:>10}{row['wrong']:>7}"
        f"{row['accepted']:>8}{row['lost']:>6}{row['longest_event_s']:>11.2f}{row['trouble_s']:>13.2f}"
        f"{row['predicted_s']:>11.1f}{p99 or 0:>9.1f}  {said}"
    )


def _verdict(result: dict[str, Any]) -> str:
    broken = [row["name"] for row in result["rows"] if not row["kept"]]
    return f"not kept: {', '.join(broken)}" if broken else "kept: none failed, none wrong, no accepted event lost"
