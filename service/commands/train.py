"""promise train and tokenize: from a dataset to a bundle, and to the semantic IDs it would have."""

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.commands.data import warn_if_few
from service.commands.data_origin import Origin, note
from service.commands.options import (
    DEFAULT_COLUMNS,
    DEFAULT_DATA,
    AsJson,
    DataDir,
    Headers,
    KCore,
    Quiet,
    Source,
    headers,
)
from service.commands.output import program, show_facts, show_json
from service.commands.progress import Watch, watched

if TYPE_CHECKING:
    from models.dataset import Dataset
    from models.recipe import Recipe
    from models.text import TextEncoder

SETTINGS = (
    "Setting A learns without the last two items of every user and chooses; setting B learns without the last one, is "
    "judged on it and ships. 'inner' and 'cross' are forms of the PRM."
)
EPILOG = """Examples:

promise train beauty --recipe best

promise train shop.csv --columns customer,sku,bought_at --k-core 5 --out runs/shop

promise train shop.csv --recipe smoke   (seconds: does it run at all?)

torchrun --nproc-per-node=4 --no-python promise train beauty   (several processes share every batch)"""

app = typer.Typer(no_args_is_help=True)


class Ties(StrEnum):
    """Order of the items that a user took on one day."""

    FILE = "file"
    SHUFFLED = "shuffled"


MODEL, RUN, DATA = "Model", "Run", "Data"
Forms = Annotated[
    str, typer.Option(help="PRM forms, comma separated: inner, cross; the first ships.", rich_help_panel=MODEL)
]
RecipeName = Annotated[str, typer.Option(help="default, best, study or smoke.", rich_help_panel=MODEL)]
Threads = Annotated[int, typer.Option(min=0, help="CPU threads; 0 = all.", rich_help_panel=RUN)]
Depth = Annotated[int, typer.Option(help="Codes an item; 0 = the recipe's.", rich_help_panel=MODEL)]
Codebook = Annotated[int, typer.Option(help="Codes a depth has; 0 = by the number of items.", rich_help_panel=MODEL)]
Sids = Annotated[
    str, typer.Option(help="Semantic IDs from auto, text, collaborative or joined vectors.", rich_help_panel=MODEL)
]
Epochs = Annotated[int, typer.Option(min=0, help="Epochs at most; 0 = the recipe's.", rich_help_panel=MODEL)]
Out = Annotated[
    Path | None,
    typer.Option(help="Folder of the run.", show_default="runs/<name of the data>", rich_help_panel=RUN),
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the training.", rich_help_panel=RUN)]
Order = Annotated[
    Ties, typer.Option(help="Items of one day as the file lists them, or shuffled.", rich_help_panel=DATA)
]
EncodeText = Annotated[
    bool, typer.Option("--encode-text", help="Embed item texts with MiniLM (extra 'text').", rich_help_panel=DATA)
]
Baseline = Annotated[
    bool, typer.Option("--baseline", help="Train SASRec, the baseline, instead.", rich_help_panel=MODEL)
]
Titles = Annotated[
    bool, typer.Option("--titles", help="Put the item table's titles into the bundle.", rich_help_panel=DATA)
]
Version = Annotated[str, typer.Option(help="Version written in the manifest.", rich_help_panel=RUN)]


@app.command()
def tokenize(
    source: Source,
    data_dir: DataDir = DEFAULT_DATA,
    columns: Headers = DEFAULT_COLUMNS,
    k_core: KCore = 0,
    depth: Depth = 0,
    codebook: Codebook = 0,
    as_json: AsJson = False,
) -> None:
    """Compare the semantic IDs that each source of vectors gives."""
    from models.data import load
    from models.recipe import tokenizer
    from models.tokenizer import item_vectors
    from models.tokenizer import tokenize as residual

    dataset = load(source, data_dir, k_core=k_core, columns=headers(columns))
    items, train = dataset.items, dataset.split("A").train
    facts: dict[str, Any] = {}
    for kind in ("collaborative", "text", "joined") if items.text is not None else ("collaborative",):
        recipe = tokenizer(kind, depth, codebook)
        vectors = item_vectors(recipe, train, len(items.ids), items.text, 0)
        report = residual(vectors, recipe.depth, recipe.codebook, 0).report()
        facts |= {f"{kind} {name}": value for name, value in report.items()}
    if as_json:
        show_json(facts)
        return
    show_facts(facts, dataset.name)


@app.command(epilog=EPILOG)
def train(
    source: Source,
    data_dir: DataDir = DEFAULT_DATA,
    columns: Headers = DEFAULT_COLUMNS,
    k_core: KCore = 0,
    ties: Order = Ties.FILE,
    encode_text: EncodeText = False,
    recipe: RecipeName = "default",
    prm: Forms = "inner",
    sids: Sids = "auto",
    depth: Depth = 0,
    codebook: Codebook = 0,
    epochs: Epochs = 0,
    baseline: Baseline = False,
    titles: Titles = False,
    out: Out = None,
    seed: Seed = 0,
    threads: Threads = 0,
    version: Version = "1.0.0",
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Train a dataset into a bundle; a second call goes on where one was cut."""
    from models import distributed, pipeline
    from models.data import load, shuffle_same_day
    from models.recipe import tokenizer
    from models.tokenizer import fitting_codebook
    from models.training import use_threads

    names, chosen = headers(columns), _recipe(recipe, prm, epochs, seed)
    chosen = replace(chosen, tokenizer=tokenizer(sids, depth, codebook, chosen.tokenizer))
    table = _items(source, data_dir) if titles else None
    use_threads(threads)
    distributed.start()
    first = distributed.rank() == 0  # to write and to tell
    with distributed.first_then_others():
        dataset = load(source, data_dir, k_core=k_core, columns=names, text_encoder=_encoder() if encode_text else None)
    if first:
        warn_if_few(dataset)
    folder = out or Path("runs") / dataset.name
    if ties is Ties.SHUFFLED:
        dataset = shuffle_same_day(dataset, seed)
        folder = out or Path("runs") / f"{dataset.name}-shuffled-{seed}"
    if not codebook:
        chosen = chosen.with_tokenizer(codebook=fitting_codebook(len(dataset.items.ids), chosen.tokenizer.codebook))
    if first:
        note(folder, Origin(source, str(data_dir), columns, k_core))
    with watched(quiet or not first, resumes=True) as watch:
        _introduced(dataset, chosen, watch)
        run = pipeline.Run(dataset, chosen, folder, version, watch.say, watch.at)
        bundle = None
        if baseline:
            pipeline.build_baseline(run)
        else:
            bundle = pipeline.build(run)
        if bundle and table and first:
            _titled(bundle, table, names.item, watch)
    if first:
        _done(folder, bundle, as_json)
    distributed.end()


def _items(source: str, data_dir: Path) -> Path:
    """The item table beside the interactions, for its titles."""
    from models.sources import find

    table = find(source, data_dir).items
    if table is None:
        raise typer.BadParameter(
            f"{source} has no item table beside it; `promise bundle titles BUNDLE ITEMS` takes one from anywhere",
            param_hint="'--titles'",
        )
    return table


def _titled(bundle: Path, table: Path, item_column: str, watch: Watch) -> None:
    from models.titles import add_titles

    found = add_titles(bundle, table, item_column=item_column)
    watch.say(f"titles for {found.titled:,} of {found.items:,} items from {table}")


def _introduced(dataset: "Dataset", recipe: "Recipe", watch: Watch) -> None:
    """What is trained on what, and the words of the lines to come."""
    items, users, shape = len(dataset.items.ids), len(dataset.split("B").evaluated), recipe.tokenizer
    watch.say(f"{dataset.name}: {items:,} items, {users:,} users to judge by; {shape.depth} codes of {shape.codebook}")
    watch.say(SETTINGS)


def _done(folder: Path, bundle: Path | None, as_json: bool) -> None:
    """What is there now, and what to type next. `bundle`: None for a baseline."""
    if bundle is None:
        show_json({"run": str(folder)}) if as_json else typer.echo(f"Baseline trained under {folder}.")
        return
    from service.engine.bundle import read_manifest

    manifest = read_manifest(bundle)
    if as_json:
        show_json({"run": str(folder), "bundle": str(bundle), "model": manifest.tag, "metrics": manifest.metrics})
        return
    show_facts({"model": manifest.tag, "items": manifest.items, **manifest.metrics}, f"Bundle ready: {bundle}")
    typer.echo(f"Serve it:  {program()} serve --bundle {bundle}")
    typer.echo(f"Judge it:  {program()} evaluate {bundle}")


def _encoder() -> "TextEncoder":
    from models.text import cached_encoder, minilm_encoder

    return cached_encoder(minilm_encoder(), Path(".cache"))


def _recipe(name: str, prm: str, epochs: int, seed: int) -> "Recipe":
    from models.recipe import forms, named

    recipe = named(name).with_network(prm=forms(prm))
    return recipe.with_training(seed=seed, **({"epochs": epochs} if epochs else {}))
