"""Reload and rollback under load: no request fails, and every answer is the one of the version that it names.

Two copies of a bundle differ in version and scoring rule, so that their lists differ. What each answers is written
down before; then one service goes back and forth between them while an open loop runs.
"""

import json
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from loadtest import open_loop, workload
from loadtest.bench import answers, closed_loop, machine
from loadtest.bench.output import Output
from loadtest.bench.service import Service
from loadtest.bench.venvs import BenchError
from loadtest.seconds import GOOD, Shot, percentiles_ms

SLOT, NEXT, TOKEN = "current", "next", "bench-token"
RULES = ({"leaf": 0.0, "prefix": 1.0}, {"leaf": 1.0, "prefix": 0.25})


@dataclass(frozen=True)
class Plan:
    """How often to change, seconds between two changes, requests a second, tier, distinct requests."""

    changes: int = 20
    pause_s: float = 1.0
    rate: float = 60.0
    tier: str = "k20"
    users: int = 200

    @property
    def seconds(self) -> float:
        return self.pause_s * (self.changes + 2)


@dataclass
class Changes:
    """What the admin routes said, and how long each took; filled while the load runs."""

    service: Service
    folder: Path
    seconds: list[float] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def change(self) -> None:
        """Reload the other folder, or go back to the former bundle, in turns."""
        number, begun = len(self.seconds), time.monotonic()
        route, body = ("rollback", None) if number % 2 else ("reload", {"path": str(self.folder / NEXT)})
        path, headers = f"/admin/bundles/{SLOT}/{route}", {"Authorization": f"Bearer {TOKEN}"}
        reply = self.service.call("POST", path, body, headers)
        self.seconds.append(time.monotonic() - begun)
        if reply.status != GOOD:
            self.refused.append(f"{route}: status {reply.status}, {reply.body.decode(errors='replace')[:200]}")


def run_reload(bundle: Path, plan: Plan | None = None, seed: int = 0, json_output: bool = False) -> dict[str, Any]:
    """Change `plan.changes` times under load and check every answer.

    Raises:
        BenchError: a bundle that cannot be copied, a service that does not start or answer, versions that answer alike.
        WorkloadError: the bundle has no catalogue.
    """
    plan, out = plan or Plan(), Output(json_output)
    histories = workload.distinct(workload.read_items(bundle), plan.users, seed)
    bodies = [workload.recommend(history, k=10, budget=plan.tier) for history in histories]
    with machine.pinned() as cores, tempfile.TemporaryDirectory(prefix="promise-bench-") as name:
        folder, result = Path(name), machine.describe(cores) | {"bundle": bundle.name, "plan": asdict(plan)}
        versions = {copy(bundle, folder / slot, rule): slot for slot, rule in zip((SLOT, NEXT), RULES, strict=True)}
        log = folder / "service.log"
        known = {version: _known(folder / slot, log, cores.service, bodies) for version, slot in versions.items()}
        if len(answers.different(*known.values())) < plan.users / 4:
            raise BenchError("the two versions answer almost alike, so that nothing could be told from the answers")
        with Service(log, cores.service, bundle=folder / SLOT, admin_token=TOKEN) as service:
            changes = Changes(service, folder)
            before = service.memory_bytes()
            shots = _load(service, changes, bodies, plan)
            result |= {"memory_mb": [size / 1e6 for size in (before, service.memory_bytes())]}
    result |= findings(shots, changes, known, plan)
    _show(result, out)
    out.end(result)
    return result


def copy(bundle: Path, folder: Path, rule: dict[str, float]) -> str:
    """Copy a bundle with another version and scoring rule into `folder`; the version."""
    shutil.copytree(bundle, folder)
    manifest = folder / "manifest.json"
    said = json.loads(manifest.read_text())
    said |= {"version": f"{said['version']}-{folder.name}", "scoring": rule}
    manifest.write_text(json.dumps(said))
    return str(said["version"])


def _known(folder: Path, log: Path, cores: tuple[int, ...], bodies: Sequence[bytes]) -> list[answers.Answer]:
    with Service(log, cores, bundle=folder) as service:
        return [shot.answer for shot in closed_loop.answered(closed_loop.run(service.url, bodies))]


def _load(service: Service, changes: Changes, bodies: Sequence[bytes], plan: Plan) -> list[Shot]:
    """Shots; their numbers are those of the bodies."""
    closed_loop.answered(closed_loop.run(service.url, bodies[:20], 4))
    times = open_loop.arrivals([open_loop.Step(plan.rate, plan.seconds)])
    beside = [(plan.pause_s * (number + 1), changes.change) for number in range(plan.changes)]
    shots = open_loop.run(service.url, lambda number: bodies[number % len(bodies)], times, beside=beside)
    for shot in shots:
        shot.number %= len(bodies)
    return shots


def findings(
    shots: Sequence[Shot], changes: Changes, known: dict[str, list[answers.Answer]], plan: Plan
) -> dict[str, Any]:
    named = [(str(shot.answer["model"]["version"]), shot) for shot in shots if shot.status == GOOD]
    foreign = [version for version, _ in named if version not in known]
    own = [(known[version][shot.number], shot.answer) for version, shot in named if version in known]
    wrong = answers.different([want for want, _ in own], [got for _, got in own])
    quiet = [shot for shot in shots if shot.intended < plan.pause_s]
    found: dict[str, Any] = {
        "requests": len(shots),
        "failed": len(shots) - len(named),
        "changes": len(changes.seconds),
        "refused": changes.refused,
        "change_s": max(changes.seconds, default=0.0),
        "answers": {version: sum(said == version for said, _ in named) for version in known},
        "unknown_versions": sorted(set(foreign)),
        "of_another_version": len(wrong),
        "degraded": sum(bool(shot.answer.get("degraded")) for _, shot in named),
        "p99_ms": {"before": percentiles_ms(quiet)[2], "during": percentiles_ms(list(shots))[2]},
    }
    bad = found["failed"] or changes.refused or foreign or wrong or len(changes.seconds) < plan.changes
    return found | {"kept": not bad}


def _show(result: dict[str, Any], out: Output) -> None:
    plan = result["plan"]
    out.header(f"Reload and rollback under load: {result['bundle']}, tier {plan['tier']}, {plan['rate']:g}/s", result)
    out.say(
        f"{result['changes']} changes, the slowest {result['change_s']:.2f} s; refused: {result['refused'] or 'none'}"
    )
    out.say(f"{result['requests']} requests, {result['failed']} failed, {result['degraded']} degraded")
    out.say("answers: " + ", ".join(f"{count} of {version}" for version, count in result["answers"].items()))
    wrong, unknown = result["of_another_version"], result["unknown_versions"] or "none"
    out.say(f"{wrong} answers are not those of the version they name; versions nobody knows: {unknown}")
    before, during = result["p99_ms"].values()
    out.say(f"p99 {before} ms before the first change, {during} ms over the run")
    out.say("resident MB before and after: " + ", ".join(f"{size:.0f}" for size in result["memory_mb"]))
    out.say("kept" if result["kept"] else "not kept")
