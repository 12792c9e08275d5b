"""promise bench …: programs anyone can rerun, each printing a ratio against a peer in the same run."""

from pathlib import Path
from typing import Annotated

import typer

from service.commands import (
    bench_arithmetic,
    bench_flood,
    bench_load,
    bench_outages,
    bench_ray,
    bench_search,
    bench_soak,
)
from service.commands.options import AsJson, names
from service.settings import SHIPPED_BUNDLE

UNDER_LOAD, SEARCH = "The service under load", "The search alone"
EPILOG = """What they found: loadtest/README.md. Ratios within one run are what counts.

Examples:

promise bench locust --seconds 120

promise bench saturation --data-dir ../shared/data --figure saturation.svg

promise bench peers"""

HELP = "Load tests, and benchmarks against peers in one run."

app = typer.Typer(no_args_is_help=True, add_completion=False, help=HELP, epilog=EPILOG)
bench_load.add_to(app, UNDER_LOAD)
bench_soak.add_to(app, UNDER_LOAD)
bench_flood.add_to(app, UNDER_LOAD)
bench_outages.add_to(app, UNDER_LOAD)
bench_ray.add_to(app, UNDER_LOAD)
bench_search.add_to(app, SEARCH)
bench_arithmetic.add_to(app, UNDER_LOAD)

Bundle = Annotated[Path, typer.Option(help="Bundle folder to serve.")]
Seed = Annotated[int, typer.Option(help="Seed of the made users.")]


@app.callback()
def bench() -> None:
    """Load tests, and benchmarks against peers in one run."""


@app.command(rich_help_panel=UNDER_LOAD)
def cache(
    bundle: Bundle = SHIPPED_BUNDLE,
    heavy: Annotated[Path | None, typer.Option(help="Bundle of the heavy size; absent: one is made.")] = None,
    users: Annotated[int, typer.Option(help="Returning users.")] = 5000,
    visits: Annotated[int, typer.Option(help="Their visits to the first process; half as many to the second.")] = 8000,
    zipf: Annotated[float, typer.Option(help="How unequal the users are.")] = 1.0,
    cache_mb: Annotated[int, typer.Option(help="Memory for encodings in each process.")] = 2,
    each: Annotated[int, typer.Option(help="Histories priced, of every length.")] = 200,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Hit ratios, bytes in Redis, and time saved against recomputing, at the shipped size and a heavy one."""
    from loadtest.bench.cache import Plan, run_cache
    from loadtest.bench.cache_hits import Traffic

    traffic = Traffic(users=users, visits=visits, second=visits // 2, exponent=zipf, cache_mb=cache_mb)
    run_cache(bundle, Plan(traffic, each=each), heavy, seed, json_output=as_json)


@app.command(rich_help_panel=UNDER_LOAD)
def faults(
    bundle: Bundle = SHIPPED_BUNDLE,
    rows: Annotated[str, typer.Option(help="Rows to run, separated by commas; absent: all.")] = "",
    healthy_s: Annotated[float, typer.Option(help="Seconds before the fault.")] = 6.0,
    fault_s: Annotated[float, typer.Option(help="Seconds of the fault.")] = 10.0,
    after_s: Annotated[float, typer.Option(help="Seconds after it.")] = 6.0,
    rate: Annotated[float, typer.Option(help="Requests a second; absent: a third of the capacity.")] = 0.0,
    tier: Annotated[str, typer.Option(help="Budget of every request.")] = "k10",
    users: Annotated[int, typer.Option(help="Distinct histories, all of them in Redis.")] = 1200,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Load while Redis is killed, restarted, paused, slowed, emptied, spoiled or locked: failures and added p99."""
    from loadtest.bench.fault_rows import ROWS
    from loadtest.bench.faults import Plan, run_faults

    plan = Plan(healthy_s, fault_s, after_s, rate=rate, tier=tier, users=users)
    run_faults(bundle, plan, tuple(names(rows) or ROWS), seed, json_output=as_json)


@app.command(rich_help_panel=UNDER_LOAD)
def batching(
    bundle: Bundle = SHIPPED_BUNDLE,
    rounds: Annotated[int, typer.Option(help="Interleaved rounds A B A B.")] = 5,
    requests: Annotated[int, typer.Option(help="Requests a round.")] = 600,
    callers: Annotated[int, typer.Option(help="Callers who wait for their answers.")] = 32,
    tier: Annotated[str, typer.Option(help="Budget of every request.")] = "k50",
    compared: Annotated[int, typer.Option(help="Lists checked for equality.")] = 500,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Throughput with micro-batching against one request a batch, and whether the lists are the same."""
    from loadtest.bench.batching import run_batching

    run_batching(bundle, rounds, requests, callers, tier, compared, seed, json_output=as_json)


@app.command(rich_help_panel=UNDER_LOAD)
def load_step(
    bundle: Bundle = SHIPPED_BUNDLE,
    seconds: Annotated[float, typer.Option(help="Seconds a step.")] = 6.0,
    deadline_ms: Annotated[float, typer.Option(help="X-Request-Timeout-Ms of every request.")] = 250.0,
    tier: Annotated[str, typer.Option(help="Tier whose throughput is the capacity.")] = "k50",
    capacity: Annotated[float, typer.Option(help="Requests a second; absent: measured.")] = 0.0,
    places: Annotated[int, typer.Option(help="PROMISE_MAX_CONCURRENT of the service; absent: its default.")] = 0,
    figure: Annotated[Path | None, typer.Option(help="Where to draw it, .svg or .png.")] = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Open loop from half of the capacity to four times that and back: tiers, refusals, missed deadlines, recovery."""
    from loadtest.bench.load_step import Plan, run_load_step

    plan = Plan(seconds=seconds, deadline_ms=deadline_ms, tier=tier, capacity=capacity)
    settings: dict[str, object] = {"max_concurrent": places} if places else {}
    run_load_step(bundle, plan, settings, figure, seed, json_output=as_json)


@app.command(rich_help_panel=UNDER_LOAD)
def reload(
    bundle: Bundle = SHIPPED_BUNDLE,
    changes: Annotated[int, typer.Option(help="Reloads and rollbacks, in turns.")] = 20,
    pause_s: Annotated[float, typer.Option(help="Seconds between two changes.")] = 1.0,
    rate: Annotated[float, typer.Option(help="Requests a second.")] = 60.0,
    tier: Annotated[str, typer.Option(help="Budget of every request.")] = "k20",
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Reload and roll back a bundle under load: failures, and whether every answer is its version's."""
    from loadtest.bench.reload import Plan, run_reload

    run_reload(bundle, Plan(changes, pause_s, rate, tier), seed, json_output=as_json)


@app.command(rich_help_panel=UNDER_LOAD)
def shell(
    bundle: Bundle = SHIPPED_BUNDLE,
    tiger: Annotated[bool, typer.Option(help="A random-weight bundle of TIGER's size.")] = False,
    rounds: Annotated[int, typer.Option(help="Interleaved rounds.")] = 15,
    callers: Annotated[int, typer.Option(help="Callers at saturation.")] = 32,
    tier: Annotated[str, typer.Option(help="Budget of every request.")] = "k50",
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """What the service adds to its engine, beside bare FastAPI."""
    from loadtest.bench import heavy, workload
    from loadtest.bench.shell import Plan, run_shell

    plan = Plan(rounds=rounds, callers=callers, tier=tier)
    run_shell(heavy.ensure(workload.Sizes()) if tiger else bundle, plan, seed, json_output=as_json)


@app.command(rich_help_panel=UNDER_LOAD)
def start(
    bundle: Bundle = SHIPPED_BUNDLE,
    starts: Annotated[int, typer.Option(help="Starts.")] = 5,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Seconds from exec to ready, resident memory, bytes of a cached encoding."""
    from loadtest.bench.memory import Plan, run_start

    run_start(bundle, Plan(starts=starts), seed, json_output=as_json)
