"""Rows of counts and latencies → verdicts. Pure: whoever generated the load, the same rows give the same verdict."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from loadtest.rows import JUDGED, Row, Scenario, grouped, together


@dataclass(frozen=True)
class Limits:
    """Shares of requests, those of failed and refused ones of all routes; percentiles in ms of answers; None = no gate.

    `p95_of`: the 95th percentile of single scenarios.
    """

    failures: float | None = 0.01
    shed: float | None = 0.2
    degraded: float | None = 0.2
    late: float | None = None
    p50_ms: float | None = None
    p95_ms: float | None = 500.0
    p99_ms: float | None = 1000.0
    p95_of: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Gate:
    """One value against its limit; a value of None was not measured, which passes no gate."""

    name: str
    value: float | None
    limit: float
    unit: str

    @property
    def passed(self) -> bool:
        return self.value is not None and self.value <= self.limit

    def sentence(self) -> str:
        """What a broken gate says."""
        if self.value is None:
            return f"{self.name}: nothing was measured"
        return f"{self.name}: {shown(self.value, self.unit)}, the limit is {shown(self.limit, self.unit)}"


@dataclass(frozen=True)
class Verdict:
    """`broken`: why the load test itself is not to be believed; a gate is passed or not beside it."""

    scenarios: tuple[Scenario, ...]
    total: Scenario
    gates: tuple[Gate, ...]
    broken: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.broken and all(gate.passed for gate in self.gates)

    @property
    def exit_code(self) -> int:
        """0 passed, 1 a gate failed, 2 the load test itself broke."""
        return 2 if self.broken else int(not self.passed)

    def plain(self) -> dict[str, Any]:
        gates = [asdict(gate) | {"passed": gate.passed} for gate in self.gates]
        return asdict(self) | {"gates": gates, "passed": self.passed, "exit_code": self.exit_code}


def judge(rows: Sequence[Row], limits: Limits, exceptions: Sequence[str] = ()) -> Verdict:
    """Everything that was measured, and every gate. `exceptions`: what the load test itself raised."""
    scenarios = tuple(together(name, group) for name, group in grouped(rows).items())
    judged = [row for row in rows if row.name.startswith(JUDGED)]
    total = together("all", judged)
    broken = [f"the load test itself raised {one}" for one in exceptions]
    if not any(row.requests for row in rows):
        broken.append("no request was sent")
    return Verdict(scenarios, total, tuple(_gates(total, together("", rows), scenarios, limits)), tuple(broken))


def _gates(total: Scenario, every: Scenario, scenarios: Sequence[Scenario], limits: Limits) -> Iterable[Gate]:
    """`every`: of all rows together, whatever they asked for."""
    asked = total.requests
    values = {
        "failed requests": (_share(every.failed, every.requests), limits.failures, "share"),
        "refused requests": (_share(every.shed, every.requests), limits.shed, "share"),
        "degraded answers": (_share(total.degraded, asked), limits.degraded, "share"),
        "late answers": (_share(total.late, asked), limits.late, "share"),
        **{name: (getattr(total, name), getattr(limits, name), "ms") for name in ("p50_ms", "p95_ms", "p99_ms")},
    }
    for name, (value, limit, unit) in values.items():
        if limit is not None:
            yield Gate(name.removesuffix("_ms"), value, limit, unit)
    by_name = {one.name.removeprefix(JUDGED): one.p95_ms for one in scenarios}
    for name, limit in limits.p95_of.items():
        yield Gate(f"p95 of {name}", by_name.get(name), limit, "ms")


def _share(count: int, whole: int) -> float | None:
    return count / whole if whole else None


def shown(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    return f"{value:.2%}" if unit == "share" else f"{value:.0f} {unit}"


def table(verdict: Verdict) -> str:
    """Every gate in a line: value, limit, pass or fail; then what is broken."""
    width = max((len(gate.name) for gate in verdict.gates), default=4)
    lines = [f"{'gate':<{width}}{'value':>10}{'limit':>10}"]
    for gate in verdict.gates:
        value, limit = shown(gate.value, gate.unit), shown(gate.limit, gate.unit)
        lines.append(f"{gate.name:<{width}}{value:>10}{limit:>10}  {'pass' if gate.passed else 'FAIL'}")
    lines += [f"Gate failed: {gate.sentence()}." for gate in verdict.gates if not gate.passed]
    lines += [f"Not to be believed: {sentence}." for sentence in verdict.broken]
    return "\n".join(lines) + "\n"
