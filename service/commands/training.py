"""promise tokenize, train, export, evaluate, audit: the offline half, from a dataset to figures."""

import json
import sys
import time
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from service.commands.data import DEFAULT_DATA, AsJson, DataDir, KCore, Source, show

if TYPE_CHECKING:
    from models.recipe import Recipe

app = typer.Typer(no_args_is_help=True)


class Ties(StrEnum):
    """Order of the items that a user took on one day."""

    FILE = "file"
    SHUFFLED = "shuffled"


Forms = Annotated[str, typer.Option(help="PRM forms to train, comma separated: inner, cross; the first one ships.")]
RecipeName = Annotated[str, typer.Option(help="Name of the recipe (models/recipe.py).")]
Threads = Annotated[int, typer.Option(help="CPU threads; 0 = all.")]
Depth = Annotated[int, typer.Option(help="Codes an item; 0 = the recipe's.")]
Codebook = Annotated[int, typer.Option(help="Codes a depth can choose from; 0 = the recipe's.")]
Sids = Annotated[str, typer.Option(help="Semantic IDs from: auto, text, collaborative or joined vectors.")]
Epochs = Annotated[int, typer.Option(help="Epochs at most; 0 = the recipe's.")]
Out = Annotated[Path | None, typer.Option(help="Run folder; default runs/<dataset>.")]
Seed = Annotated[int, typer.Option(help="Seed of the training; rows are numbered by seed 0.")]
Order = Annotated[Ties, typer.Option(help="Items of one day as the file lists them, or shuffled with the seed.")]


@app.command()
def tokenize(
    source: Source,
    data_dir: DataDir = DEFAULT_DATA,
    k_core: KCore = 0,
    depth: Depth = 0,
    codebook: Codebook = 0,
    as_json: AsJson = False,
) -> None:
    """Report the semantic IDs that each source of vectors gives in setting A."""
    from models.data import load
    from models.recipe import tokenizer
    from models.tokenizer import item_vectors
    from models.tokenizer import tokenize as residual

    dataset = load(source, data_dir, k_core=k_core)
    items, train = dataset.items, dataset.split("A").train
    facts: dict[str, Any] = {}
    for kind in ("collaborative", "text", "joined") if items.text is not None else ("collaborative",):
        recipe = tokenizer(kind, depth, codebook)
        vectors = item_vectors(recipe, train, len(items.ids), items.text, 0)
        report = residual(vectors, recipe.depth, recipe.codebook, 0).report()
        facts |= {f"{kind} {name}": value for name, value in report.items()}
    show(facts, dataset.name, as_json)


@app.command()
def train(
    source: Source,
    data_dir: DataDir = DEFAULT_DATA,
    out: Out = None,
    recipe: RecipeName = "default",
    prm: Forms = "inner",
    k_core: KCore = 0,
    sids: Sids = "auto",
    depth: Depth = 0,
    codebook: Codebook = 0,
    epochs: Epochs = 0,
    seed: Seed = 0,
    ties: Order = Ties.FILE,
    threads: Threads = 0,
    encode_text: Annotated[
        bool, typer.Option(help="Embed item texts with MiniLM where the data has no embeddings.")
    ] = False,
    baseline: Annotated[bool, typer.Option(help="Train SASRec, the baseline, instead.")] = False,
    version: Annotated[str, typer.Option(help="Version written in the manifest.")] = "1.0.0",
) -> None:
    """Raw data → served bundle in one command; a second call resumes where the first was cut."""
    from models import pipeline
    from models.data import load, shuffle_same_day
    from models.recipe import tokenizer
    from models.text import cached_encoder, minilm_encoder
    from models.training import use_threads

    use_threads(threads)
    encoder = cached_encoder(minilm_encoder(), Path(".cache")) if encode_text else None
    dataset = load(source, data_dir, k_core=k_core, text_encoder=encoder)
    folder = out or Path("runs") / dataset.name
    if ties is Ties.SHUFFLED:
        dataset = shuffle_same_day(dataset, seed)
        folder = out or Path("runs") / f"{dataset.name}-shuffled-{seed}"
    chosen = _recipe(recipe, prm, epochs, seed)
    chosen = replace(chosen, tokenizer=tokenizer(sids, depth, codebook, chosen.tokenizer))
    run = pipeline.Run(dataset, chosen, folder, version, _say(time.monotonic()))
    if baseline:
        pipeline.build_baseline(run)
        typer.echo(f"Baseline trained under {folder}.")
        return
    bundle = pipeline.build(run)
    typer.echo(f"Bundle ready: PROMISE_BUNDLE={bundle} promise serve")


@app.command()
def evaluate(
    bundle: Annotated[
        list[Path], typer.Argument(help="Bundles of one setting; the first one's methods are shown in full.")
    ],
    dataset: Annotated[str, typer.Option(help="Dataset the bundles were trained on; default: the manifest's.")] = "",
    data_dir: DataDir = DEFAULT_DATA,
    run: Annotated[Path | None, typer.Option(help="Run folder whose SASRec baseline is judged beside.")] = None,
    users: Annotated[int, typer.Option(help="Judge a seeded sample of this many users; 0 = all.")] = 0,
    methods: Annotated[str, typer.Option(help="Methods, comma separated, as in the table; default: all.")] = "",
    k_core: KCore = 0,
    threads: Threads = 1,
    save: Annotated[Path | None, typer.Option(help="Keep per-user results (.npz) for `promise report`.")] = None,
    as_json: AsJson = False,
) -> None:
    """Test users, full ranking, leave-one-out: plain beam, guided at every K+, exact scan, baselines."""
    from models import judging, results
    from models.training import use_threads

    use_threads(threads)
    only = [name.strip() for name in methods.split(",") if name.strip()]
    say = _say(time.monotonic())
    found = judging.judge(
        bundle, dataset, data_dir, run, users=users, only=only, k_core=k_core, threads=threads, log=say
    )
    if save:
        results.save(found, save)
    _tables(found, as_json)


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="Run folder made by `promise train`.")],
    out: Annotated[Path, typer.Argument(help="Folder the bundle is copied to.")],
    setting: Annotated[str, typer.Option(help="A or B.")] = "B",
    form: Annotated[str, typer.Option(help="PRM form: inner or cross.")] = "inner",
    int8: Annotated[
        bool, typer.Option("--int8", help="Products in 8-bit integers, for serving on CPUs; inner form only.")
    ] = False,
    data_dir: DataDir = DEFAULT_DATA,
) -> None:
    """Take a bundle out of a run, verified, to where it is served from."""
    import shutil

    from service.engine.bundle import load

    found = load(run / f"bundle-{setting}-{form}")
    if int8:
        from models.integers import IntegerError, export_int8
        from models.judging import data_of

        if form != "inner":
            raise IntegerError("only bundles of the inner form can be had in integers")
        written = export_int8(run, setting, data_of(found.manifest, "", data_dir), out)
        typer.echo(f"{out}: {written.tag}, " + ", ".join(f"{k} {v:.2g}" for k, v in written.metrics.items()))
        return
    staging = out.with_name(out.name + ".partial")
    shutil.rmtree(staging, ignore_errors=True)
    shutil.copytree(found.path, staging)
    shutil.rmtree(out, ignore_errors=True)
    staging.rename(out)
    typer.echo(f"{out}: {found.manifest.tag}, setting {found.manifest.setting}, {found.manifest.items:,} items.")


@app.command()
def audit(
    bundle: Annotated[Path, typer.Argument(help="Folder of the bundle.")],
    dataset: Annotated[str, typer.Option(help="Dataset it was trained on; default: the manifest's.")] = "",
    data_dir: DataDir = DEFAULT_DATA,
) -> None:
    """Prove from the data that the bundle was trained without the items held out in its setting."""
    from models.judging import audit, data_of
    from service.engine.bundle import load as open_bundle

    found = open_bundle(bundle)
    catalogue, manifest = found.catalogue, found.manifest
    audit(manifest, catalogue.ids, catalogue.popularity, data_of(manifest, dataset, data_dir))
    typer.echo(f"{bundle}: trained on exactly the sequences of setting {manifest.setting}, and no others.")


def _tables(found: list[Any], as_json: bool) -> None:
    from models import report as tables

    if as_json:
        typer.echo(json.dumps(tables.summarise(found, reference=found[0].method)))
        return
    console = Console(width=200) if not sys.stdout.isatty() else Console()
    console.print(tables.table(found, reference=found[0].method))
    for head, cells in (tables.depth_rows(found), tables.error_rows(found)):
        console.print(tables.to_rich(head, cells))


def _recipe(name: str, prm: str, epochs: int, seed: int) -> "Recipe":
    from models.recipe import forms, named

    recipe = named(name).with_network(prm=forms(prm))
    return recipe.with_training(seed=seed, **({"epochs": epochs} if epochs else {}))


def _say(start: float) -> Any:
    console = Console(stderr=True, highlight=False, width=200)
    return lambda line: console.print(f"[{(time.monotonic() - start) / 60:5.1f} min] {line}", markup=False)
