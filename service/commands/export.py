"""promise export and audit: a bundle taken to where it is served, and the proof of what it was trained on."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.commands.bundle import present
from service.commands.data_origin import Origin, origin_of
from service.commands.options import (
    DEFAULT_COLUMNS,
    DEFAULT_DATA,
    AsJson,
    DataDir,
    DatasetName,
    Headers,
    KCore,
    headers,
)
from service.commands.output import program, show_facts, show_json, verdict

if TYPE_CHECKING:
    from models.dataset import Dataset
    from models.manifest import Manifest

EXPORTED = """Examples:

promise export runs/shop models/bundles/shop

promise export runs/beauty models/bundles/beauty-int8 --int8"""
AUDITED = """Example:

promise audit models/bundles/beauty"""

app = typer.Typer(no_args_is_help=True)


@app.command(epilog=EXPORTED)
def export(
    run: Annotated[Path, typer.Argument(help="Run folder made by `promise train`.")],
    out: Annotated[Path, typer.Argument(help="Folder the bundle is copied to; what is there gives way.")],
    setting: Annotated[str, typer.Option(help="A or B.")] = "B",
    form: Annotated[str, typer.Option(help="PRM form: inner or cross.")] = "inner",
    int8: Annotated[
        bool, typer.Option("--int8", help="Products in 8-bit integers, for CPUs; inner form only.")
    ] = False,
    dataset: DatasetName = "",
    data_dir: DataDir = DEFAULT_DATA,
    columns: Headers = DEFAULT_COLUMNS,
    k_core: KCore = 0,
    as_json: AsJson = False,
) -> None:
    """Copy a bundle out of a run to where it is served from.

    It is verified first, and put in place whole or not at all. The data options are for --int8, which calibrates.
    """
    from service.engine.bundle import load

    present(run / f"bundle-{setting}-{form}")
    found = load(run / f"bundle-{setting}-{form}")
    if int8:
        from models.integers import IntegerError, export_int8

        if form != "inner":
            raise IntegerError("only bundles of the inner form can be had in integers")
        data = _data(found.manifest, origin_of(found.path, dataset, data_dir, columns, k_core))
        _exported(export_int8(run, setting, data, out), out, as_json)
        return
    from models.staging import staged

    with staged(out) as staging:
        for file in (*found.manifest.files, "manifest.json"):
            shutil.copyfile(found.path / file, staging / file)
    _exported(found.manifest, out, as_json)


def _data(manifest: "Manifest", origin: Origin) -> "Dataset":
    from models.judging import data_of

    names = headers(origin.columns)
    return data_of(manifest, origin.source, Path(origin.data_dir), k_core=origin.k_core, columns=names)


def _exported(manifest: "Manifest", out: Path, as_json: bool) -> None:
    facts = {"model": manifest.tag, "setting": manifest.setting, "items": manifest.items, **manifest.metrics}
    if as_json:
        show_json({"bundle": str(out), **facts})
        return
    show_facts(facts, f"Bundle written: {out}")
    typer.echo(f"Serve it:  {program()} serve --bundle {out}")


@app.command(epilog=AUDITED)
def audit(
    bundle: Annotated[Path, typer.Argument(help="Folder of the bundle.")],
    dataset: DatasetName = "",
    data_dir: DataDir = DEFAULT_DATA,
    columns: Headers = DEFAULT_COLUMNS,
    k_core: KCore = 0,
    as_json: AsJson = False,
) -> None:
    """Prove from the data that a bundle never saw the held-out items.

    Its digest of the sequences and its popularity counts must be those of its setting, A or B.
    """
    from models.data import DataError
    from models.judging import audit
    from service.engine.bundle import load as open_bundle

    present(bundle)
    found = open_bundle(bundle)
    catalogue, manifest = found.catalogue, found.manifest
    data = _data(manifest, origin_of(bundle, dataset, data_dir, columns, k_core))
    with verdict(as_json, DataError):
        audit(manifest, catalogue.ids, catalogue.popularity, data)
    if as_json:
        show_json({"ok": True, "bundle": str(bundle), "model": manifest.tag, "setting": manifest.setting})
        return
    typer.echo(f"{bundle}: trained on exactly the sequences of setting {manifest.setting}, and no others.")
