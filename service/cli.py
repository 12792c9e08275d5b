"""The console script `promise`: the second composition root. Commands import what they need when they run."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from service.commands import bench, budget, data, experiments, report, seeds, study, training
from service.errors import PromiseError
from service.settings import SHIPPED_BUNDLE

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
bundles = typer.Typer(no_args_is_help=True, help="Look into a bundle.")
app.add_typer(bundles, name="bundle")
app.add_typer(data.app, name="data")
app.add_typer(bench.app, name="bench")
app.add_typer(budget.app, name="budget")
app.add_typer(experiments.app, name="experiments")
app.add_typer(report.app, name="report")
app.add_typer(seeds.app)
app.add_typer(study.app)
app.add_typer(training.app)

BundlePath = Annotated[Path, typer.Argument(help="Folder of the bundle.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@app.callback()
def promise() -> None:
    """An online generative recommender: data to bundle, bundle to service."""


@app.command()
def serve(
    bundle: Annotated[
        list[Path] | None, typer.Option(help="Folder of a bundle, repeatable; else PROMISE_BUNDLE.")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on; else PROMISE_HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; else PROMISE_PORT.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda; else PROMISE_DEVICE.")] = None,
) -> None:
    """Serve a bundle over HTTP until a signal; further settings are PROMISE_ variables."""
    from service.__main__ import run

    given = {"bundle": tuple(bundle) if bundle else None, "host": host, "port": port, "device": device}
    run(**{name: value for name, value in given.items() if value is not None})


@bundles.command()
def verify(path: BundlePath = SHIPPED_BUNDLE) -> None:
    """Check every hash, every table, and that the graphs open with the contract's signatures."""
    from service.engine.bundle import load
    from service.engine.graphs import OnnxEngine

    bundle = load(path)
    OnnxEngine(bundle, "cpu", 1)
    typer.echo(f"{path}: {bundle.manifest.tag}, {len(bundle.manifest.files)} files and all graphs are in order.")


@bundles.command()
def describe(path: BundlePath = SHIPPED_BUNDLE, as_json: AsJson = False) -> None:
    """Print what the manifest says: model, sizes, training data, offline metrics."""
    from service.engine.bundle import read_manifest

    manifest = read_manifest(path).model_dump(mode="json")
    if as_json:
        typer.echo(json.dumps(manifest, indent=2))
        return
    table = Table("field", "value", title=str(path))
    for name, value in _flat(manifest):
        table.add_row(name, str(value))
    Console().print(table)


def main() -> None:
    """Run the command line. What a person can mend is one sentence on standard error and exit code 2."""
    try:
        app()
    except PromiseError as error:
        _stop(error.detail)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("service", "models", "loadtest"):
            raise
        _stop(f"This command needs {error.name}, which an extra installs: pip install -e '.[train,bench]'.")
    except Exception as error:
        # The offline rooms raise their own types for what a person can mend; anything else is a bug and says so.
        if type(error).__module__.partition(".")[0] not in ("models", "loadtest"):
            raise
        _stop(str(error))


def _stop(sentence: str) -> None:
    typer.echo(sentence, err=True)
    sys.exit(2)


def _flat(values: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Nested fields as dotted names."""
    rows: list[tuple[str, Any]] = []
    for name, value in values.items():
        rows += _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else [(prefix + name, value)]
    return rows
