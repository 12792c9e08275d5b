"""What micro-batching brings: the same closed loop against the service with batching and with one request a batch.

Both services run at once on one core and take turns, round by round; the one that waits uses no processor time. The
histories are all new and the encoding cache is off, so that every request costs an encoding and a search; the tier is
fixed, because `auto` would answer the slower side's queue with cheaper searches.
"""

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loadtest import workload
from loadtest.bench import answers, closed_loop, machine
from loadtest.bench.output import Output, spread
from loadtest.bench.service import Service
from loadtest.bench.venvs import BenchError
from loadtest.seconds import percentiles_ms

SIDES: dict[str, dict[str, int]] = {"batching": {}, "one by one": {"max_batch": 1}}


@dataclass(frozen=True)
class Side:
    """A service and what it did, round by round: answers a second, processor and median milliseconds a request."""

    name: str
    service: Service
    rates: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    p50_ms: list[float] = field(default_factory=list)

    def race(self, bodies: Sequence[bytes], callers: int) -> None:
        before = self.service.cpu_s()
        shots = closed_loop.answered(closed_loop.run(self.service.url, bodies, callers))
        self.cpu_ms.append(1000 * (self.service.cpu_s() - before) / len(bodies))
        self.rates.append(closed_loop.per_second(shots))
        self.p50_ms.append(percentiles_ms(shots)[0] or 0.0)

    def answers(self, bodies: Sequence[bytes], callers: int = 1) -> list[answers.Answer]:
        return [shot.answer for shot in closed_loop.answered(closed_loop.run(self.service.url, bodies, callers))]


def run_batching(
    bundle: Path,
    rounds: int = 5,
    requests: int = 600,
    callers: int = 32,
    tier: str = "k50",
    compared: int = 500,
    seed: int = 0,
    json_output: bool = False,
) -> dict[str, Any]:
    """Interleaved rounds of `requests` requests from `callers` callers; `compared` lists are checked for equality.

    Raises:
        BenchError: too few rounds, or a request that was not answered.
        WorkloadError: the bundle has no catalogue.
    """
    if rounds < 2 or requests < callers or compared < 1:
        raise BenchError("the benchmark needs 2 rounds or more, a request per caller, and one list to compare")
    histories = workload.histories(workload.read_items(bundle), compared + rounds * requests, seed)
    bodies = [workload.recommend(history, k=10, budget=tier) for history in histories]
    settings = {"bundle": bundle.resolve(), "cache_mb": 0, "max_concurrent": 4 * callers, "request_timeout_ms": 60_000}
    with (
        machine.pinned() as cores,
        tempfile.TemporaryDirectory(prefix="promise-bench-") as folder,
        ExitStack() as stack,
    ):
        result = machine.describe(cores)
        services = [Service(Path(folder, name), cores.service, **settings, **own) for name, own in SIDES.items()]
        sides = [Side(name, stack.enter_context(one)) for name, one in zip(SIDES, services, strict=True)]
        result |= {"bundle": bundle.name, "tier": tier, "callers": callers, "requests": requests}
        result |= equality(sides, bodies[:compared], callers)
        for begin in range(compared, len(bodies), requests):
            for side in sides:
                side.race(bodies[begin : begin + requests], callers)
        result |= summary(sides)
    out = Output(json_output)
    show(result, out)
    out.end(result)
    return result


def equality(sides: Sequence[Side], bodies: Sequence[bytes], callers: int) -> dict[str, Any]:
    """Lists made in batches against lists made one by one. This also warms both sides up."""
    batched, alone = sides
    together, singly = batched.answers(bodies, callers), alone.answers(bodies)
    return {
        "lists_compared": len(bodies),
        "lists_different": len(answers.different(singly, together)),
        "largest_score_difference": answers.furthest(singly, together),
    }


def summary(sides: Sequence[Side]) -> dict[str, Any]:
    ratios = [one / other for one, other in zip(sides[0].rates, sides[1].rates, strict=True)]
    return {
        "ratio": spread(ratios),
        "ratio_per_round": ratios,
        "per_second": {side.name: spread(side.rates) for side in sides},
        "per_second_per_round": {side.name: side.rates for side in sides},
        "cpu_ms": {side.name: spread(side.cpu_ms) for side in sides},
        "p50_ms": {side.name: spread(side.p50_ms) for side in sides},
        "mean_batch": {side.name: mean_batch(side.service) for side in sides},
    }


def mean_batch(service: Service) -> float | None:
    """Requests in a batch, since the start of the service; nothing where it does not say."""
    found = service.metrics()
    sizes, batches = found.get("promise_batch_size_sum"), found.get("promise_batch_size_count")
    return sizes / batches if sizes and batches else None


def show(result: dict[str, Any], out: Output) -> None:
    what = f"{result['bundle']}, tier {result['tier']}, {result['callers']} callers, encoding cache off"
    out.header(f"Micro-batching: {what}, {result['requests']} requests a round", result)
    names = list(SIDES)
    rounds = zip(*(result["per_second_per_round"][name] for name in names), result["ratio_per_round"], strict=True)
    rows: list[list[object]] = [[number, *row] for number, row in enumerate(rounds, 1)]
    out.table(["round", *(f"{name}, requests/s" for name in names), "ratio"], rows)
    figures = {"processor ms a request": "cpu_ms", "median ms": "p50_ms"}
    rows = [[title, *(result[key][name]["median"] for name in names)] for title, key in figures.items()]
    out.table(["", *names], [*rows, ["mean batch", *(result["mean_batch"][name] for name in names)]])
    ratio = result["ratio"]
    out.say(f"batching answers {ratio['median']:.2f} times as many ({ratio['min']:.2f} to {ratio['max']:.2f})")
    out.say(
        f"{result['lists_different']} of {result['lists_compared']} lists differ beyond scores equal to within "
        f"{answers.TOLERANCE:g}; the same item's scores differ by at most {result['largest_score_difference']:.1e}"
    )
