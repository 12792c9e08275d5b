"""promise serve: the service, with the commonest settings as options."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()

EPILOG = """Examples:

promise serve

promise serve --port 9000 --bundle runs/shop/bundle-B-inner

PROMISE_REDIS_URL=redis://localhost:6379 promise serve"""


@app.command(epilog=EPILOG)
def serve(
    bundle: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of a bundle, repeatable; else PROMISE_BUNDLE, else the shipped one."),
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on; else PROMISE_HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; else PROMISE_PORT, else 8000.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda; else PROMISE_DEVICE.")] = None,
) -> None:
    """Serve a bundle over HTTP until Ctrl-C or SIGTERM.

    Every other setting is a PROMISE_ variable; the README lists them.
    """
    from service.server import run

    given = {"bundle": tuple(bundle) if bundle else None, "host": host, "port": port, "device": device}
    run(**{name: value for name, value in given.items() if value is not None})
