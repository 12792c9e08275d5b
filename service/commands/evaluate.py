"""promise evaluate: bundles on their held-out test items."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.commands.data_origin import origin_of
from service.commands.options import (
    DEFAULT_COLUMNS,
    DEFAULT_DATA,
    AsJson,
    DataDir,
    DatasetName,
    Headers,
    KCore,
    Quiet,
    headers,
    names,
)
from service.commands.output import show_json, show_table
from service.commands.progress import watched

if TYPE_CHECKING:
    from models.results import Result

EPILOG = """Examples:

promise evaluate models/bundles/beauty --users 2000

promise evaluate runs/shop/bundle-B-inner --dataset shop.csv --columns customer,sku,bought_at

promise evaluate runs/beauty/bundle-B-inner --run runs/beauty --save beauty.npz"""

app = typer.Typer()


@app.command(epilog=EPILOG)
def evaluate(
    bundle: Annotated[
        list[Path], typer.Argument(help="Bundles of one setting; the first one's methods are shown in full.")
    ],
    dataset: DatasetName = "",
    data_dir: DataDir = DEFAULT_DATA,
    columns: Headers = DEFAULT_COLUMNS,
    k_core: KCore = 0,
    run: Annotated[Path | None, typer.Option(help="Run folder whose SASRec baseline is judged beside.")] = None,
    users: Annotated[int, typer.Option(min=0, help="Judge a seeded sample of this many users; 0 = all.")] = 0,
    methods: Annotated[str, typer.Option(help="Methods as in the table, comma separated; default: all.")] = "",
    threads: Annotated[int, typer.Option(min=0, help="CPU threads; 0 = all.")] = 1,
    save: Annotated[Path | None, typer.Option(help="Keep per-user results (.npz) for `promise report`.")] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Judge bundles on their held-out test items, against baselines.

    Every test user, full ranking, leave-one-out: plain beam, guided search at every K+, exact scan, popularity.
    """
    from models import judging
    from models import results as kept
    from models.training import use_threads

    data = origin_of(bundle[0], dataset, data_dir, columns, k_core)
    use_threads(threads)
    with watched(quiet) as watch:
        found = judging.judge(
            bundle,
            data.source,
            Path(data.data_dir),
            run,
            users=users,
            only=names(methods),
            k_core=data.k_core,
            columns=headers(data.columns),
            threads=threads,
            log=watch.say,
            advance=watch.at,
        )
    if save:
        kept.save(found, save)
    show_results(found, as_json)


def show_results(found: "Sequence[Result]", as_json: bool) -> None:
    """Figures of every method against the first one: all of them as JSON, or tables of methods, depths and errors."""
    from models import report

    reference = found[0].method
    if as_json:
        show_json(report.summarise(found, reference=reference))
        return
    show_table(*report.rows(found, reference=reference))
    show_table(*report.depth_rows(found), keys=2)
    show_table(*report.error_rows(found))
