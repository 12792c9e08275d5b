"""promise bundle …: what a bundle holds, and whether it holds it unharmed."""

from pathlib import Path
from typing import Annotated, Any

import typer

from service.commands.options import AsJson
from service.commands.output import show_facts, show_json, verdict
from service.settings import SHIPPED_BUNDLE

EPILOG = """Examples:

promise bundle verify runs/shop/bundle-B-inner

promise bundle describe --json | jq .metrics"""

app = typer.Typer(no_args_is_help=True, help="Verify a bundle, describe it, give it titles.", epilog=EPILOG)

BundlePath = Annotated[Path, typer.Argument(help="Folder of the bundle.", show_default="the shipped one")]


@app.callback()
def bundles() -> None:
    """Verify a bundle, describe it, give it titles."""


@app.command()
def verify(path: BundlePath = SHIPPED_BUNDLE, as_json: AsJson = False) -> None:
    """Check every hash, every table, and that the graphs open with the contract's signatures."""
    from service.engine.bundle import BundleError, load
    from service.engine.graphs import OnnxEngine

    present(path)
    with verdict(as_json, BundleError):
        bundle = load(path)
        OnnxEngine(bundle, "cpu", 1)
    manifest = bundle.manifest
    if as_json:
        show_json({"ok": True, "path": str(path), "model": manifest.tag, "files": sorted(manifest.files)})
        return
    typer.echo(f"{path}: {manifest.tag}, {len(manifest.files)} files and all graphs are in order.")


@app.command()
def describe(path: BundlePath = SHIPPED_BUNDLE, as_json: AsJson = False) -> None:
    """Print what the manifest says: model, sizes, training data, offline metrics.

    --json prints all of it; the table leaves out the digests of the files and the choices of the recipe.
    """
    from service.engine.bundle import read_manifest

    present(path)
    manifest = read_manifest(path).model_dump(mode="json")
    if as_json:
        show_json(manifest)
        return
    manifest["files"] = len(manifest["files"])
    manifest["provenance"]["recipe"] = manifest["provenance"]["recipe"].get("name")
    show_facts(dict(_flat(manifest)), str(path))


@app.command(epilog="Example:\n\npromise bundle titles runs/shop/bundle-B-inner shop.items.csv")
def titles(
    path: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Folder of the bundle.", show_default=False)],
    items: Annotated[Path, typer.Argument(help="Item table with a title column: CSV, JSON Lines, Parquet, metadata.")],
    item_column: Annotated[str, typer.Option(help="Its column of item ids.")] = "item_id",
    as_json: AsJson = False,
) -> None:
    """Give a bundle the titles of its items, which the playground then shows. You need the right to show them."""
    from models.titles import add_titles

    present(path)
    found = add_titles(path, items, item_column=item_column)
    if as_json:
        show_json({"bundle": str(path), "items": found.items, "titled": found.titled, "records": found.records})
        return
    typer.echo(f"{path}: titles for {found.titled:,} of {found.items:,} items.")


def present(path: Path) -> None:
    """Refuse a path that is no folder.

    Raises:
        BundleError: there is none, so there is nothing to look into.
    """
    from service.engine.bundle import BundleError

    if not path.is_dir():
        raise BundleError(
            f"{path}: no such folder. `promise train` makes bundles; without a path the shipped one is taken."
        )


def _flat(values: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Nested fields as dotted names."""
    rows: list[tuple[str, Any]] = []
    for name, value in values.items():
        rows += _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else [(prefix + name, value)]
    return rows
