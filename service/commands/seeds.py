"""promise seeds: one recipe trained with several seeds, judged and tabulated together."""

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from service.commands.data import DEFAULT_DATA, AsJson, DataDir, KCore

app = typer.Typer()

WIDE = 200  # columns where there is no terminal to ask


@app.command()
def seeds(
    bundles: Annotated[
        list[Path] | None, typer.Argument(help="A bundle of every seed; none: tables of what --save holds.")
    ] = None,
    run: Annotated[
        list[Path] | None,
        typer.Option(help="Run folder of each bundle's SASRec, in order; default: where the bundle lies."),
    ] = None,
    baseline: Annotated[bool, typer.Option(help="Judge the SASRec of every seed beside.")] = True,
    save: Annotated[Path | None, typer.Option(help="Folder of per-user results; what it holds is not redone.")] = None,
    beside: Annotated[
        Path | None, typer.Option(help="Kept results in the order of the file, beside these of shuffled days.")
    ] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write the tables into this file's section.")] = None,
    section: Annotated[str, typer.Option(help="Name of the section; default: final-<data>-<setting>[-shuffled].")] = "",
    dataset: Annotated[str, typer.Option(help="Dataset the bundles were trained on; default: the manifest's.")] = "",
    data_dir: DataDir = DEFAULT_DATA,
    users: Annotated[int, typer.Option(help="Judge a seeded sample of this many users; 0 = all.")] = 0,
    k_core: KCore = 0,
    threads: Annotated[int, typer.Option(help="CPU threads.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Means over training seeds and differences paired by user, every seed on its own held-out items."""
    from models import report, seeds, seeds_judging, seeds_report
    from models.training import use_threads

    use_threads(threads)
    if bundles:
        runs = _runs(bundles, run, baseline)
        found = seeds_judging.judge(
            bundles, runs, data_dir, save, dataset=dataset, users=users, k_core=k_core, threads=threads, log=_say()
        )
    else:
        found = seeds.load(save or Path())
    other = seeds.load(beside) if beside else []
    if markdown:
        report.write_section(markdown, section or seeds_report.section(found), seeds_report.page(found, other))
    if as_json:
        typer.echo(json.dumps(seeds_report.as_json(found)))
        return
    console = Console(width=WIDE) if not sys.stdout.isatty() else Console()
    console.print(seeds_report.caption(found))
    for head, cells in seeds_report.tables(found, other):
        console.print(report.to_rich(head, cells))


def _runs(bundles: Sequence[Path], runs: Sequence[Path] | None, baseline: bool) -> list[Path | None]:
    """The run folder of every bundle, None without a baseline."""
    if not baseline:
        return [None] * len(bundles)
    if runs and len(runs) != len(bundles):
        raise typer.BadParameter(f"{len(bundles)} bundles need as many --run, not {len(runs)}")
    return list(runs or [bundle.resolve().parent for bundle in bundles])


def _say() -> Callable[[str], None]:
    start, console = time.monotonic(), Console(stderr=True, highlight=False, width=WIDE)
    return lambda line: console.print(f"[{(time.monotonic() - start) / 60:5.1f} min] {line}", markup=False)
