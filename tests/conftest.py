"""What every test may ask for."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from redis_server import RedisServer

if TYPE_CHECKING:
    from tiny import Bundles

ROOT = Path(__file__).resolve().parents[1]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pictures", metavar="FOLDER", help="keep the screenshots that tests/e2e makes in this folder")
    parser.addoption("--cases", type=int, metavar="N", help="bad input in bulk: so many cases in all (make fuzz)")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder with the real data; a test that asks for it is skipped where there is none."""
    folder = Path(os.environ.get("DATA_DIR") or ROOT / "../shared/data").resolve()
    if not (folder / "beauty.interactions.csv.gz").is_file():
        pytest.skip(f"no beauty.interactions.csv.gz in {folder}; DATA_DIR names the data folder")
    return folder


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> "Bundles":
    """A small network with random weights and its exported bundles, made once for the session."""
    from tiny import made_bundles

    return made_bundles(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """One redis-server for the session; a test that pauses or kills one starts its own."""
    with RedisServer() as server:
        yield server


@pytest.fixture
def redis(redis_server: RedisServer) -> RedisServer:
    """The session's redis-server, emptied."""
    redis_server.command("FLUSHALL")
    return redis_server


@pytest.fixture
def root_logger() -> Iterator[None]:
    """The root logger is put back as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
