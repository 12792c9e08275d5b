"""promise bench peers, engine, …: the search itself, without the service around it."""

import json
from pathlib import Path
from typing import Annotated

import typer

from service.commands.options import AsJson, names
from service.settings import SHIPPED_BUNDLE


def add_to(app: typer.Typer, panel: str) -> None:
    """Make these programs sub-commands of `app`, under this heading of its help."""
    for command in (peers, engine, scale, histories, gpu, explain):
        app.command(rich_help_panel=panel)(command)


def peers(
    rounds: Annotated[int, typer.Option(help="Interleaved rounds A B A B.")] = 7,
    requests: Annotated[int, typer.Option(help="Requests a round.")] = 20,
    only: Annotated[str, typer.Option("--peers", help="Peers, separated by commas; absent: all.")] = "",
    size: Annotated[str, typer.Option(help="Model size on all sides: tiger or large.")] = "tiger",
    beam: Annotated[int, typer.Option(help="K' = the peers' beam.")] = 50,
    k_plus: Annotated[int, typer.Option(help="K+ of our guided search.")] = 200,
    codes: Annotated[int, typer.Option(help="Codes an item.")] = 3,
    prm: Annotated[str, typer.Option(help="PRM form: inner or cross.")] = "inner",
    core: Annotated[int | None, typer.Option(help="The core to pin to; absent: the last one.")] = None,
    index_url: Annotated[str, typer.Option(help="One more package index, such as that of torch's CPU builds.")] = "",
    fresh: Annotated[bool, typer.Option(help="Build the peers' environments anew.")] = False,
    figure: Annotated[Path | None, typer.Option(help="Where to draw it, .svg or .png.")] = None,
    as_json: AsJson = False,
) -> None:
    """One core, batch 1, cold encode: ours with and without PRM against other serving stacks and two exact rankings."""
    from loadtest.bench.peers import lacking, run_peers

    result = run_peers(
        rounds,
        requests,
        beam,
        k_plus,
        codes,
        json_output=as_json,
        fresh=fresh,
        core=core,
        index_url=index_url,
        prm=prm,
        peers=only,
        size=size,
        figure=figure,
    )
    if lacking(result, only):
        raise typer.Exit(1)


def engine(
    bundle: Annotated[Path | None, typer.Option(help="Bundle folder; absent: random weights of --size.")] = None,
    size: Annotated[str, typer.Option(help="Model sizes without --bundle: tiger or large.")] = "tiger",
    history: Annotated[int, typer.Option(help="Items of every history.")] = 20,
    rounds: Annotated[int, typer.Option(help="Rounds in which all cases take turns.")] = 5,
    calls: Annotated[int, typer.Option(help="Calls of a round at K' = 50, batch 1; others in proportion.")] = 40,
    prm: Annotated[str, typer.Option(help="PRM form without --bundle: inner or cross.")] = "inner",
    profile: Annotated[bool, typer.Option(help="Also where the time goes, by operator.")] = False,
    as_json: AsJson = False,
) -> None:
    """Every stage, tier and batch against the machine's own matrix products, and against a plain beam."""
    from loadtest.bench.engine import run_engine

    run_engine(bundle, size, history, rounds, calls, prm=prm, profile=profile, json_output=as_json)


def explain(
    bundle: Annotated[Path, typer.Option(help="Bundle folder.")] = SHIPPED_BUNDLE,
    data_dir: Annotated[Path | None, typer.Option(help="Test users of the data; absent: made histories.")] = None,
    requests: Annotated[int, typer.Option(help="Histories of more than six items.")] = 200,
    rounds: Annotated[int, typer.Option(help="Interleaved rounds.")] = 7,
    tiers: Annotated[str, typer.Option(help="Tiers, separated by commas; the middle one is judged.")] = "k10,k50,k200",
    calls: Annotated[int, typer.Option(help="Requests a round, tier and length, each with and without.")] = 20,
    seed: Annotated[int, typer.Option(help="Seed of the histories and of what is removed.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Whether removing what `explain` names moves the reward more than removing others, and what explaining costs."""
    from loadtest.bench.explain import run_explain

    run_explain(bundle, data_dir, requests, rounds, names(tiers), calls, seed, json_output=as_json)


def gpu(
    bundle: Annotated[Path, typer.Option(help="Bundle folder.")] = SHIPPED_BUNDLE,
    tiger: Annotated[Path | None, typer.Option(help="Bundle of TIGER's size; absent: one is made.")] = None,
    rounds: Annotated[int, typer.Option(help="Rounds in which all cases take turns.")] = 5,
    calls: Annotated[int, typer.Option(help="Calls of every case in a round, a call being a batch.")] = 60,
    compared: Annotated[int, typer.Option(help="Lists of every tier compared with the CPU's.")] = 200,
    seed: Annotated[int, typer.Option(help="Seed of the made histories.")] = 0,
    as_json: AsJson = False,
) -> None:
    """A CUDA device at 50/200 and 1000/4000, batches 1, 8, 32: latency, requests a second, agreement with the CPU."""
    from loadtest.bench.gpu import Work, run_gpu

    run_gpu(bundle, Work(rounds, calls, compared=compared), tiger, seed, json_output=as_json)


def histories(
    limits: Annotated[str, typer.Option(help="History limits in items, separated by commas.")] = "50,256,1024",
    new: Annotated[str, typer.Option(help="Events since the last visit, separated by commas.")] = "1,5",
    at_limit: Annotated[float, typer.Option(help="Share of visits by users whose window is full.")] = 0.5,
    rounds: Annotated[int, typer.Option(help="Interleaved rounds.")] = 7,
    seed: Annotated[int, typer.Option(help="Seed of the histories.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Encoding a long history whole against extending a cached encoding by its newest events, on one core."""
    from loadtest.bench.histories import numbers, run_histories
    from loadtest.bench.histories_sizes import Plan

    run_histories(Plan(numbers(limits), numbers(new), at_limit, rounds), seed=seed, json_output=as_json)


def scale(
    sizes: Annotated[str, typer.Option(help="10k, 12k, 100k, 1m, 2m, 10m.")] = "10k,12k,100k,1m,10m",
    codes: Annotated[str, typer.Option(help="skewed, uniform.")] = "skewed,uniform",
    hnsw: Annotated[str, typer.Option(help="Sizes that get an HNSW graph; empty: none.")] = "1m",
    rounds: Annotated[int, typer.Option(help="Rounds in which all catalogues take turns.")] = 7,
    requests: Annotated[int, typer.Option(help="Requests a round.")] = 20,
    bundle: Annotated[
        Path | None, typer.Option(help="A trained bundle: what its tiers keep of the scan's ten.")
    ] = None,
    figure: Annotated[Path | None, typer.Option(help="Where to draw it, .svg or .png.")] = None,
    as_json: AsJson = False,
) -> None:
    """Catalogues from 10 k to 10 M items: build, bytes, search, update."""
    from loadtest.bench.scale import Plan, run_scale
    from loadtest.bench.scale_overlap import overlaps

    if bundle:
        typer.echo(json.dumps(overlaps(bundle), indent=None if as_json else 2))
        return
    chosen, drawn, graphs = (tuple(names(text)) for text in (sizes, codes, hnsw))
    run_scale(Plan(chosen, drawn, graphs, rounds, requests), figure, as_json)
