"""promise bench …: programs anyone can rerun, each printing a ratio against a peer in the same run."""

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Benchmarks against peers, in one run.")


@app.callback()
def bench() -> None:
    """Benchmarks against peers, in one run."""


@app.command()
def peers(
    rounds: Annotated[int, typer.Option(help="Interleaved rounds A B A B.")] = 7,
    requests: Annotated[int, typer.Option(help="Requests a round.")] = 20,
    beam: Annotated[int, typer.Option(help="K' = the peers' beam.")] = 50,
    k_plus: Annotated[int, typer.Option(help="K+ of our guided search.")] = 200,
    codes: Annotated[int, typer.Option(help="Codes an item.")] = 3,
    prm: Annotated[str, typer.Option(help="PRM form: inner or cross.")] = "inner",
    index_url: Annotated[str, typer.Option(help="One more package index, such as that of torch's CPU builds.")] = "",
    fresh: Annotated[bool, typer.Option(help="Build the peers' environments anew.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="End with one JSON object holding `ratios`.")] = False,
) -> None:
    """One core, batch 1, cold encode: ours with PRM against Hugging Face generate with a prefix function."""
    from loadtest.bench.peers import run_peers

    run_peers(rounds, requests, beam, k_plus, codes, json_output=as_json, fresh=fresh, index_url=index_url, prm=prm)
