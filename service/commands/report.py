"""promise report …: tables and plots of what was measured; the study of what inference compute buys."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from service.commands import output
from service.commands.evaluate import show_results
from service.commands.options import DEFAULT_DATA, AsJson, DataDir, Quiet, names
from service.commands.output import show_json, show_table
from service.commands.progress import watched
from service.settings import SHIPPED_BUNDLE

EPILOG = """Examples:

promise report beauty.npz --markdown RESULTS.md   (kept by `promise evaluate --save`)

promise report scaling --plots figures

promise report strategies"""


class OrFile(typer.core.TyperGroup):
    """A first argument that names no command is a file of results."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = ["results", *args]
        return super().resolve_command(ctx, args)


app = typer.Typer(no_args_is_help=True, cls=OrFile, help="Tables and plots of what was measured.", epilog=EPILOG)

Markdown = Annotated[Path | None, typer.Option(help="Write the tables into this file's section.")]


@app.command()
def results(
    saved: Annotated[Path, typer.Argument(help="Results kept by `promise evaluate --save`.")],
    markdown: Markdown = None,
    section: Annotated[str, typer.Option(help="Name of the section: <!-- begin: name --> to <!-- end: name -->.")] = "",
    plot: Annotated[Path | None, typer.Option(help="Draw quality against K+ (.svg or .png).")] = None,
    as_json: AsJson = False,
) -> None:
    """Tables and plot of results kept earlier; `promise report FILE` for short."""
    from models import pages
    from models import results as kept

    found = kept.load(saved)
    if markdown:
        pages.write_section(markdown, section or saved.stem, pages.quality(found))
    if plot:
        pages.plot(found, plot)
    show_results(found, as_json)


@app.command()
def scaling(
    run: Annotated[Path, typer.Option(help="Folder of the study: sizes trained, results kept.")] = Path("runs/scaling"),
    bundle: Annotated[Path, typer.Option(help="The middle size.", show_default="the shipped one")] = SHIPPED_BUNDLE,
    sports: Annotated[Path, typer.Option(help="Bundle of Sports.")] = Path("runs/scaling/sports/bundle-B-inner"),
    world: Annotated[Path, typer.Option(help="Bundle of a world.")] = Path("runs/world-1m-b/bundle"),
    data_dir: DataDir = DEFAULT_DATA,
    only: Annotated[str, typer.Option(help="Bundles to sweep and show, comma separated; default: all.")] = "",
    groups: Annotated[str, typer.Option(help="Groups of widths to measure, comma separated; default: all.")] = "",
    users: Annotated[int, typer.Option(help="Test users of every sweep, a seeded sample; 0 = all.")] = 3000,
    more: Annotated[int, typer.Option(help="Test users of the PRM at some depths; 0 = all.")] = 10_000,
    few: Annotated[int, typer.Option(help="Test users of a world.")] = 1000,
    timed: Annotated[int, typer.Option(help="Users timed one at a time.")] = 30,
    train: Annotated[bool, typer.Option("--train", help="First train the sizes that are missing (an hour).")] = False,
    markdown: Markdown = None,
    section: Annotated[str, typer.Option(help="Name of the section.")] = "scaling",
    plots: Annotated[Path | None, typer.Option(help="Folder for the charts.")] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Quality against inference FLOP: widths, depths, sizes, a large catalogue. What was measured is kept."""
    from models.scaling import pages, study
    from models.scaling.sweep import Sample
    from models.training import use_threads

    use_threads(1)
    with watched(quiet, resumes=True) as watch:
        if train:
            study.train(run, bundle, data_dir, watch.say)
        wanted = study.subjects(run, bundle, sports, world)
        samples = {study.WORLD: Sample(few, few, timed)}
        found = study.study(
            study.chosen(wanted, names(only), names(groups)),
            run,
            study.Datasets(data_dir, watch.say).of,
            lambda name: samples.get(name, Sample(users, more, timed)),
            watch.say,
        )
        _draw(pages, found, _Wanted(markdown, section, plots), watch.say)
    _show(pages, found, as_json)


@app.command()
def strategies(
    run: Annotated[Path, typer.Option(help="Folder of what was measured.")] = Path("runs/shelf"),
    first: Annotated[Path, typer.Option("--a", help="Bundle of setting A: chooses settings on validation users.")] = (
        Path("runs/best/beauty-0/bundle-A-inner")
    ),
    bundle: Annotated[Path, typer.Option(help="Bundle of setting B.")] = Path("runs/best/beauty-0/bundle-B-inner"),
    seeds: Annotated[
        str, typer.Option(help="Its further seeds, comma separated.", show_default="its two neighbours")
    ] = ("runs/best/beauty-1/bundle-B-inner,runs/best/beauty-2/bundle-B-inner"),
    router: Annotated[
        Path, typer.Option(help="Bundle whose walk routes requests.", show_default="the shipped one")
    ] = SHIPPED_BUNDLE,
    data_dir: DataDir = DEFAULT_DATA,
    only: Annotated[str, typer.Option(help="Strategies, comma separated; guided search is always there.")] = "",
    users: Annotated[int, typer.Option(help="Test users that judge, a seeded sample; 0 = all.")] = 4000,
    choosing: Annotated[int, typer.Option(help="Validation users that choose settings; 0 = all.")] = 6000,
    timed: Annotated[int, typer.Option(help="Users timed one at a time.")] = 200,
    markdown: Markdown = None,
    section: Annotated[str, typer.Option(help="Name of the section.")] = "strategies",
    plots: Annotated[Path | None, typer.Option(help="Folder for the charts.")] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Every strategy against guided search at equal FLOP and equal time. What was measured is kept."""
    from models.scaling.study import Datasets
    from models.shelf import pages
    from models.shelf import report as shelf
    from models.training import use_threads

    use_threads(1)
    others = [Path(name) for name in names(seeds)]
    wanted = shelf.subjects(first, bundle, others, router, shelf.Sample(users, choosing, timed), names(only))
    with watched(quiet, resumes=True) as watch:
        found = shelf.report(*wanted, Datasets(data_dir, watch.say).of, run, watch.say)
        _draw(pages, found, _Wanted(markdown, section, plots), watch.say)
    _show(pages, found, as_json)


class _Wanted(NamedTuple):
    """What a study leaves behind: a section of a file, charts in a folder."""

    markdown: Path | None
    section: str
    plots: Path | None


def _draw(pages: Any, found: Any, wanted: _Wanted, log: Callable[[str], None]) -> None:
    """The page and plots of a study, made by its module `pages`."""
    from models.report import write_section

    if wanted.markdown:
        write_section(wanted.markdown, wanted.section, pages.page(found))
    for file in pages.plots(found, wanted.plots) if wanted.plots else ():
        log(f"{file} drawn")


def _show(pages: Any, found: Any, as_json: bool) -> None:
    """The JSON, or the tables and sentences, of a study; made by its module `pages`."""
    if as_json:
        show_json(pages.as_json(found))
        return
    console = output.results()
    for title, (head, cells) in pages.blocks(found):
        if cells:
            show_table(head, cells, title)
    for line in [*found.missing, *pages.sentences(found)]:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
