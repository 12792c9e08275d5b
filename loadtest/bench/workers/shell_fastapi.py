"""Bare FastAPI around the same engine calls, for the shell benchmark: a body, a route, a dictionary of encodings.

Usage: python -m loadtest.bench.workers.shell_fastapi FOLDER PORT. The server's settings are those of service.server.
No deadline, queue, budget, experiment, metric, log line, token or header: what anybody would write first.
"""

import gc
import sys
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from loadtest.bench.workers.shell_bare import Bare, Work
from service.engine.protocol import F16


class Asked(BaseModel):
    """The fields that the requests of the benchmark have."""

    history: list[str]
    k: int
    budget: str


class Item(BaseModel):
    item_id: str
    score: float


class Answer(BaseModel):
    items: list[Item]


def create_app(bare: Bare) -> FastAPI:
    """POST /recommend, and GET /health/ready for whoever starts it."""
    app = FastAPI()
    encodings: dict[tuple[str, ...], F16] = {}

    @app.post("/recommend")
    async def recommend(asked: Asked) -> Answer:
        history = tuple(asked.history)
        prepared = bare.prepare(history, encodings.get(history))
        encodings[history] = prepared.memory
        (found,) = bare.search([prepared], asked.k)
        return Answer(items=[Item(item_id=item_id, score=score) for item_id, score in found])

    @app.get("/health/ready")
    async def ready() -> dict[str, str]:
        return {"status": "ok"}

    return app


def main(folder: Path, port: int) -> None:
    """Serve until a signal."""
    work = Work.load(folder)
    app = create_app(Bare(Path(work.bundle), work.tier))
    gc.collect()
    gc.freeze()
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http="httptools",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
