"""The console script `promise`: the second composition root. Commands import what they need when they run."""

import os
import sys
from typing import Annotated

import typer

from service.commands.index import LazyGroup
from service.commands.mistakes import INTERRUPTED, sentence

EPILOG = """Exit codes: 0 done; 1 a check or a gate failed; 2 a mistake that you can mend; 130 Ctrl-C.

Results go to standard output (--json for machines), progress to standard error."""

app = typer.Typer(
    cls=LazyGroup, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, epilog=EPILOG
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"promise {version('promise-recommender')}")
        raise typer.Exit


@app.callback()
def promise(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """An online generative recommender: from raw interactions to a bundle, from a bundle to a service."""


def main() -> None:
    """Run the command line. What a person can mend is one sentence on standard error and exit code 2."""
    try:
        app()
    except SystemExit as left:
        _leave(left)
    except KeyboardInterrupt:  # before the command had begun
        _leave(SystemExit(INTERRUPTED))
    except Exception as error:
        told = sentence(error, next((word for word in sys.argv[1:] if not word.startswith("-")), ""))
        if told is None:
            raise
        typer.echo(told, err=True)
        sys.exit(2)


def _leave(left: SystemExit) -> None:
    """Exit as asked, with a line after Ctrl-C and in silence where the reader of the output has gone."""
    if left.code == INTERRUPTED:
        typer.echo("Interrupted.", err=True)
    try:
        if sys.stdout is not None:  # closed before the start, as by >&-
            sys.stdout.flush()
    except BrokenPipeError:
        # What is still buffered would fail once more when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise left
