"""promise budget …: measure every tier, choose what `auto` may spend on validation, report on test."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.commands.options import DEFAULT_DATA, AsJson, DataDir, DatasetName, KCore
from service.commands.output import show_json, show_table

if TYPE_CHECKING:
    from models.evaluation.choosing import Trial

EPILOG = """Examples, in this order:

promise budget measure runs/beauty/bundle-A-inner validation.npz --cases validation

promise budget choose validation.npz --write runs/beauty/bundle-B-inner

promise budget measure runs/beauty/bundle-B-inner test.npz

promise budget report runs/beauty/bundle-B-inner test.npz"""

app = typer.Typer(
    no_args_is_help=True,
    help="Measure tiers, choose what `auto` may spend, report what it is worth.",
    epilog=EPILOG,
)

Measured = Annotated[Path, typer.Argument(help="Tiers measured by `promise budget measure`.")]
BundlePath = Annotated[Path, typer.Argument(help="Folder of the bundle.")]


@app.callback()
def budget() -> None:
    """Measure tiers, choose what `auto` may spend, report what it is worth."""


@app.command()
def measure(
    bundle: BundlePath,
    out: Annotated[Path, typer.Argument(help="File to keep (.npz).")],
    cases: Annotated[str, typer.Option(help="test, or validation: only of a bundle of setting A.")] = "test",
    dataset: DatasetName = "",
    data_dir: DataDir = DEFAULT_DATA,
    users: Annotated[int, typer.Option(help="A seeded sample of this many users; 0 = all.")] = 0,
    timed: Annotated[int, typer.Option(help="Users timed one at a time.")] = 200,
    tuned: Annotated[bool, typer.Option(help="Widths tuned by depth; else as wide at every depth.")] = True,
    k_core: KCore = 0,
    as_json: AsJson = False,
) -> None:
    """Every tier for every user on one core: ranks, level 1, CPU milliseconds. Minutes; everything later is instant."""
    from models import measuring, spending

    found = measuring.measure(bundle, cases, dataset, data_dir, users=users, timed=timed, k_core=k_core, tuned=tuned)
    spending.save(found, out)
    if as_json:
        show_json({"file": str(out), "bundle": found.bundle, "setting": found.setting, "users": found.users})
        return
    typer.echo(f"{out}: {found.users:,} {cases} users of {found.bundle}, setting {found.setting}, every tier.")


@app.command()
def choose(
    validation: Measured,
    spend: Annotated[float, typer.Option(help="Most compute, as a share of the best fixed tier's.")] = 0.59,
    write: Annotated[Path | None, typer.Option(help="Bundle whose manifest gets the walk.")] = None,
    as_json: AsJson = False,
) -> None:
    """Judge every measure of difficulty by halves of the validation users; lay the learned one's thresholds on all."""
    from models import evaluation, measuring, spending

    found = spending.load(validation)
    tried = evaluation.trials(found, spend)
    chosen = evaluation.choose_walk(found, "learned", spend)
    if write:
        measuring.ship(found, chosen, write)
    if as_json:
        figures = [vars(t) | {n: vars(getattr(t, n)) for n in ("against_best", "against_random")} for t in tried]
        show_json({"trials": figures, "walk": chosen.model_dump()})
        return
    show_table(*_trials(tried))
    typer.echo(f"Walk {', '.join(chosen.tiers)}; thresholds {', '.join(f'{t:g}' for t in chosen.thresholds)}.")


@app.command()
def report(
    bundle: BundlePath,
    test: Annotated[Path, typer.Argument(help="Its test users, measured.")],
    validation: Annotated[Path | None, typer.Option(help="Validation users, measured: the curve of the plot.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write the table into this file's section.")] = None,
    section: Annotated[str, typer.Option(help="Name of the section.")] = "budget-B",
    plot: Annotated[Path | None, typer.Option(help="Draw quality against compute (.svg or .png).")] = None,
    as_json: AsJson = False,
) -> None:
    """Quality against mean compute of fixed tiers, the bundle's auto, random with its mix, and oracles."""
    from models import evaluation, measuring, report, spending, spending_plot, spending_report

    found = spending.load(test)
    chosen = measuring.shipped(found, bundle)
    hard = evaluation.difficulties(found, chosen)
    study = spending_report.study(found, chosen, hard)
    if markdown:
        report.write_section(markdown, section, spending_report.page(study))
    if plot:
        before = spending.load(validation) if validation else None
        both = (evaluation.difficulties(before, chosen), hard) if before else None
        spending_plot.plot(study, spending_report.frontiers(before, found, both) if before and both else [], plot)
    if as_json:
        show_json(spending_report.as_json(study))
        return
    show_table(*spending_report.cells(study))


def _trials(tried: "list[Trial]") -> tuple[list[str], list[list[str]]]:
    from models.report import interval

    head = ["difficulty by", "cost", "of the best's expected N@10", "N@10", "Δ to the best fixed tier", "Δ to random"]
    return head, [
        [t.signal, f"{t.cost:.1%}", f"{t.kept:.2%}", f"{t.ndcg:.4f}"]
        + [interval(pair) for pair in (t.against_best, t.against_random)]
        for t in tried
    ]
