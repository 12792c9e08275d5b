"""promise study: ideas compared with each other, most of them an arm each, on validation users."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from service.commands.options import DEFAULT_DATA, AsJson, DataDir, Quiet, names
from service.commands.output import show_json, show_table
from service.commands.progress import Watch, watched

if TYPE_CHECKING:
    from models.dataset import Dataset
    from models.study.arms import Arm

EPILOG = """Examples:

promise study prm --users 6000

promise study labels --arms prefix,progress"""

app = typer.Typer()


@app.command(epilog=EPILOG)
def study(
    name: Annotated[str, typer.Argument(help="Which study: prm, tokens, labels, cold or votes.")],
    dataset: Annotated[str, typer.Option(help="Dataset the arms are trained on.")] = "beauty",
    data_dir: DataDir = DEFAULT_DATA,
    out: Annotated[Path, typer.Option(help="Folder of all studies; what it holds is not done again.")] = Path(
        "runs/study"
    ),
    arms: Annotated[str, typer.Option(help="Arms to run and show, comma separated; default: all.")] = "",
    users: Annotated[int, typer.Option(help="Validation users judged, a seeded sample; 0 = all.")] = 0,
    trained: Annotated[
        Path, typer.Option(help="Finished run whose network gets votes; for the study of that name.")
    ] = Path("runs/best/beauty-0"),
    threads: Annotated[int, typer.Option(help="CPU threads; 0 = all.")] = 1,
    markdown: Annotated[Path | None, typer.Option(help="Write the table into this file's section.")] = None,
    section: Annotated[str, typer.Option(help="Name of the section; default: study-<name>.")] = "",
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Compare ideas about training with each other, an arm each.

    Every arm is trained, judged on validation users in setting A, and kept; a second call goes on where one was cut.
    """
    from models import report
    from models.data import load
    from models.study.known import COLD, VOTES, arms_of
    from models.training import use_threads

    use_threads(threads)
    only = names(arms)
    wanted = arms_of(name) if name not in (COLD, VOTES) else []
    data = load(dataset, data_dir)
    with watched(quiet, resumes=True) as watch:
        if name == COLD:
            found = _cold(data, out, watch)
        elif name == VOTES:
            found = _votes(data, trained, out, users, watch)
        else:
            found = _arms(name, wanted, only, data, out, users, watch)
    if markdown:
        report.write_section(markdown, section or f"study-{name}", found.page)
    if as_json:
        show_json(found.rows() if found.cells else {"study": name, "markdown": found.page})
    elif found.cells:
        show_table(found.head, found.cells)
    else:
        typer.echo(found.page)


class _Found(NamedTuple):
    """A study as a page, and as one table where it has arms."""

    page: str
    head: Sequence[str] = ()
    cells: Sequence[Sequence[str]] = ()

    def rows(self) -> list[dict[str, str]]:
        return [dict(zip(self.head, line, strict=True)) for line in self.cells]


def _arms(
    name: str, arms: "list[Arm]", only: list[str], dataset: "Dataset", out: Path, users: int, watch: Watch
) -> _Found:
    """A study with arms, each trained and judged."""
    from models import study as studies

    found = studies.study(name, arms, dataset, out, watch.say, users=users, only=only, advance=watch.at)
    return _Found(studies.page(found), *studies.rows(found))


def _cold(dataset: "Dataset", out: Path, watch: Watch) -> _Found:
    """The study of cold items, which has ways of looking instead of arms."""
    from models.study import cold

    return _Found(cold.page(cold.run(dataset, out, watch.say)))


def _votes(dataset: "Dataset", trained: Path, out: Path, users: int, watch: Watch) -> _Found:
    """The study of votes, which looks at one finished network."""
    from models.votes import study, tables

    return _Found(tables.page(study.run(dataset, trained, out / study.NAME / trained.name, watch.say, users)))
