"""promise seeds: one recipe trained with several seeds, judged and tabulated together."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from service.commands.options import DEFAULT_DATA, AsJson, DataDir, DatasetName, KCore, Quiet
from service.commands.output import results, show_json, show_table
from service.commands.progress import watched

EPILOG = """Examples:

promise seeds runs/best/beauty-{0,1,2}/bundle-B-inner --save runs/final/beauty-B

promise seeds --save runs/final/beauty-B   (once more, from what is kept)"""

app = typer.Typer()


@app.command(epilog=EPILOG)
def seeds(
    bundles: Annotated[
        list[Path] | None, typer.Argument(help="A bundle of every seed; none: tables of what --save holds.")
    ] = None,
    run: Annotated[
        list[Path] | None,
        typer.Option(help="Run folder of each bundle's SASRec, in order; default: where the bundle lies."),
    ] = None,
    alone: Annotated[bool, typer.Option("--no-baseline", help="Without the SASRec of every seed beside.")] = False,
    save: Annotated[Path | None, typer.Option(help="Folder of per-user results; what it holds is not redone.")] = None,
    beside: Annotated[
        Path | None, typer.Option(help="Kept results in the order of the file, beside these of shuffled days.")
    ] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write the tables into this file's section.")] = None,
    section: Annotated[str, typer.Option(help="Name of the section; default: by data and setting.")] = "",
    dataset: DatasetName = "",
    data_dir: DataDir = DEFAULT_DATA,
    users: Annotated[int, typer.Option(help="Judge a seeded sample of this many users; 0 = all.")] = 0,
    k_core: KCore = 0,
    threads: Annotated[int, typer.Option(help="CPU threads.")] = 1,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """One recipe over several training seeds, paired by user.

    Means over the seeds, and differences between methods; every seed is judged on its own held-out items.
    """
    from models import report, seeds, seeds_judging, seeds_report
    from models.training import use_threads

    use_threads(threads)
    if bundles:
        runs = _runs(bundles, run, not alone)
        with watched(quiet, resumes=save is not None) as watch:
            found = seeds_judging.judge(
                bundles,
                runs,
                data_dir,
                save,
                dataset=dataset,
                users=users,
                k_core=k_core,
                threads=threads,
                log=watch.say,
            )
    else:
        found = seeds.load(save or Path())
    other = seeds.load(beside) if beside else []
    if markdown:
        report.write_section(markdown, section or seeds_report.section(found), seeds_report.page(found, other))
    if as_json:
        show_json(seeds_report.as_json(found))
        return
    results().print(seeds_report.caption(found))
    for head, cells in seeds_report.tables(found, other):
        show_table(head, cells)


def _runs(bundles: Sequence[Path], runs: Sequence[Path] | None, baseline: bool) -> list[Path | None]:
    """The run folder of every bundle, None without a baseline."""
    if not baseline:
        return [None] * len(bundles)
    if runs and len(runs) != len(bundles):
        raise typer.BadParameter(f"{len(bundles)} bundles need as many --run, not {len(runs)}")
    return list(runs or [bundle.resolve().parent for bundle in bundles])
