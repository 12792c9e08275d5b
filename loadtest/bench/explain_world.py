"""A bundle to ask and have explained, one request at a time: what the device thread does, past the service around."""

import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from loadtest import workload
from loadtest.bench.venvs import BenchError
from service.engine.bundle import BundleError
from service.engine.protocol import F16, I32
from service.items import rows_of
from service.loading import Loader
from service.search.guided import Deadline
from service.search.trie import banned
from service.served import Served
from service.settings import Settings
from service.tasks import Outcome, Task


class Forgetful:
    """service.tasks.Encodings that keep nothing: every request encodes its history."""

    def peek(self, key: bytes, model: str) -> F16 | None:  # noqa: ARG002 - no cache, so every time is whole
        return None

    def keep(self, key: bytes, memory: F16, model: str) -> None: ...

    def key(self, model: str, codes: I32, items: I32) -> bytes:
        return b"".join((model.encode(), codes.tobytes(), items.tobytes()))


@dataclass
class Reply:
    """One request of a batch of one."""

    job: Task
    outcomes: list[Outcome] = field(default_factory=list)

    def deliver(self, value: Outcome) -> None:
        self.outcomes.append(value)


@dataclass(frozen=True)
class World:
    """A served bundle; requests for k items that the history does not hold."""

    served: Served
    k: int = 10

    def ask(self, history: I32, tier: str, explain: bool) -> Outcome:
        """The outcome for item rows, oldest first."""
        served = self.served
        choice = served.ladder.choice(tier, tier, "requested", self.k)
        illegal = banned(served.trie, history)
        task = Task(
            history, history.tobytes(), None, illegal, self.k, choice, "guided", None, None, None, explain, Deadline()
        )
        reply = Reply(task)
        served.searcher.run([reply], 0)
        return reply.outcomes[0]

    def timed(self, history: I32, tier: str, explain: bool) -> float:
        """Seconds of it, encoding included."""
        start = time.perf_counter()
        self.ask(history, tier, explain)
        return time.perf_counter() - start

    def rows(self, history: workload.History) -> I32:
        """The newest items of a history as rows, as many as the encoder reads."""
        return np.array(rows_of(self.served.catalogue, history)[-self.served.history_limit :], np.int32)


def open_world(bundle: Path) -> World:
    """Raises BenchError: the folder holds no bundle that can be served."""
    try:
        return World(Loader(Settings(bundle=(bundle,), device="cpu", threads=1), Forgetful()).open(bundle))
    except BundleError as error:
        raise BenchError(error.detail) from None


def made_histories(bundle: Path, world: World, count: int, longer_than: int, seed: int = 0) -> list[I32]:
    """`count` made histories of more than so many items, of the lengths that made users have.

    Raises:
        WorkloadError: the bundle has no catalogue.
    """
    items, found, drawn = workload.read_items(bundle), list[I32](), 0
    while len(found) < count:
        some = (world.rows(history) for history in workload.histories(items, 4 * count, seed + drawn))
        found += [rows for rows in some if len(rows) > longer_than]
        drawn += 1
    return found[:count]


def real_histories(world: World, data_dir: Path, count: int, longer_than: int, seed: int = 0) -> list[I32]:
    """`count` of the test users' histories of the dataset and setting that the bundle was trained on.

    Raises:
        BenchError: the folder does not hold the dataset, or it has not so many.
    """
    from models.data import DataError, load

    bundle = world.served.bundle
    assert bundle is not None
    if bundle.manifest.setting == "none":
        raise BenchError(f"{bundle.path} was not trained on data that has test users")
    try:
        data = load(bundle.manifest.provenance.dataset, data_dir)
        histories = data.split(bundle.manifest.setting).test.histories
    except (DataError, OSError, ValueError) as error:
        raise BenchError(f"{data_dir}: {error}") from None
    ids: NDArray[np.str_] = np.array(data.items.ids)
    long = [at for at, history in enumerate(histories) if len(history) > longer_than]
    if len(long) < count:
        raise BenchError(f"{data_dir} has {len(long)} histories of more than {longer_than} items, not {count}")
    chosen = np.random.default_rng(seed).choice(long, count, replace=False)
    return [world.rows(tuple(ids[histories[at] - 1].tolist())) for at in chosen]
