"""Users of the service, over HTTP only. Exit code 0: every gate passed, 1: one failed, 2: the load test itself broke.

    locust -f loadtest/locustfile.py --headless -u 16 -r 8 -t 60s --host http://127.0.0.1:8000

Scenarios: loadtest/scenarios.py. Histories are made from the catalogue of a bundle folder (--bundle). Locust is a
closed loop: users wait for their answers, so a stall hides the requests it delayed (loadtest/open_loop.py does not).
"""

import json
import sys
import time
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any

from locust import LoadTestShape, events
from locust.env import Environment
from locust.runners import WorkerRunner

from loadtest.crowd import Crowd
from loadtest.gates import Limits, judge, table
from loadtest.rows import Row
from loadtest.scenarios import SCENARIOS
from loadtest.shopper import Shopper
from loadtest.waves import users_in, wave_at
from loadtest.workload import WorkloadError

BROKEN = 2
GATES = {  # field of Limits: what it limits
    "failures": "share of failed requests: an error, or a wrong answer",
    "shed": "share of requests refused with 503 and Retry-After",
    "degraded": "share of answers cut short",
    "late": "share of answers after the caller's own deadline",
    "p50_ms": "median latency of answers",
    "p95_ms": "95th percentile of it",
    "p99_ms": "99th percentile of it",
}


class Person(Shopper):
    """Whoever comes next."""

    tasks = [one for one, weight in SCENARIOS.items() for _ in range(weight)]  # noqa: RUF012 - locust reads it here


class Waves(LoadTestShape):
    """--shape waves: a ramp at --spawn-rate, a plateau of --users, a burst, a calm, over --run-time seconds."""

    use_common_options = True

    def tick(self) -> tuple[int, float] | None:
        assert self.runner is not None, "locust starts a shape with its runner"
        options: Any = self.runner.environment.parsed_options
        wave = wave_at(time.perf_counter() - self.start_time, options.run_time or 60)
        if wave is None:
            return None
        users = users_in(wave, options.num_users or 1)
        return users, max(options.spawn_rate or 1.0, 0.0 if wave.name == "plateau" else users)


def add_options(parser: ArgumentParser, **_: Any) -> None:
    parser.add_argument("--bundle", default="models/bundles/beauty", help="bundle whose catalogue makes the histories")
    parser.add_argument("--crowd", type=int, default=5000, help="returning users, Zipf")
    parser.add_argument(
        "--shape", choices=("steady", "waves"), default="steady", help="waves: ramp, plateau, burst, calm"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the made users")
    for name, what in GATES.items():
        option, default = f"--max-{name.replace('_', '-')}", getattr(Limits(), name)
        parser.add_argument(option, type=float, default=default, help=f"gate: highest {what}")
    parser.add_argument(
        "--max-p95-ms-of", type=_gate, action="append", metavar="SCENARIO=MS", help="gate on one scenario, repeatable"
    )
    parser.add_argument("--verdict", default="", help="where to write scenarios and gates as JSON")


def _gate(text: str) -> tuple[str, float]:
    try:
        name, limit = text.split("=")
        return name, float(limit)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no gate such as hurried=250") from None


def gather(environment: Environment, **_: Any) -> None:
    """The crowd of this process, and no waves unless they were asked for."""
    options = environment.parsed_options
    if options is None:
        return
    try:
        Person.crowd = Crowd(Path(options.bundle), options.crowd, options.seed)
    except WorkloadError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(BROKEN)
    time.sleep(0.001)  # lets the event loop look at its clock: timers would count the time this took
    if options.shape == "steady":
        environment.shape_class = None


def give_verdict(environment: Environment, **_: Any) -> None:
    """The gates. Workers leave the verdict to their master, which has everyone's figures."""
    runner, options = environment.runner, environment.parsed_options
    if runner is None or options is None or isinstance(runner, WorkerRunner):
        return
    rows = [
        Row(entry.name, entry.num_requests, entry.num_failures, dict(entry.response_times))
        for entry in environment.stats.entries.values()
    ]
    raised = [str(one["msg"]) for one in runner.exceptions.values()]
    verdict = judge(rows, _limits(options), raised)
    sys.stderr.write(f"\n{table(verdict)}\n")
    if options.verdict:
        Path(options.verdict).write_text(json.dumps(verdict.plain(), indent=1) + "\n")
    environment.process_exit_code = verdict.exit_code


def _limits(options: Any) -> Limits:
    given = {name: getattr(options, f"max_{name}") for name in GATES}
    return Limits(**given, p95_of=dict(options.max_p95_ms_of or ()))


LISTENERS: Any = events  # locust leaves add_listener unannotated
LISTENERS.init_command_line_parser.add_listener(add_options)
LISTENERS.init.add_listener(gather)
LISTENERS.quitting.add_listener(give_verdict)
