"""Who asks in a saturation run, and how good what they got was: the test users of a dataset, or made ones.

Quality is NDCG@10 and recall@10 of the answered list against the user's held-out item. Made users have none: for them
the manifest's figure of the tier that answered stands in, and where the manifest has none there is no quality.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from loadtest import workload
from loadtest.bench.venvs import BenchError
from loadtest.seconds import Shot
from loadtest.workload import History
from models.manifest import Manifest
from service.engine.bundle import BundleError, read_manifest

K = 10
MADE = 5_000


@dataclass(frozen=True)
class Quality:
    """Of one answered list; None: it cannot be known."""

    ndcg: float | None
    recall: float | None


NOTHING = Quality(0.0, 0.0)  # what a refused or late list is worth


@dataclass(frozen=True)
class Users:
    """`targets`: the held-out item of each, or none; `figures`: the manifest's, by name; `source`: what tables say."""

    histories: Sequence[History]
    targets: Sequence[str] | None
    figures: Mapping[str, float]
    source: str

    def drawn(self, count: int, rng: np.random.Generator) -> list[int]:
        """Numbers of users, each as often as any other before one comes again."""
        whole, rest = divmod(count, len(self.histories))
        parts = [rng.permutation(len(self.histories)) for _ in range(whole + 1)]
        return [int(number) for part in (*parts[:whole], parts[whole][:rest]) for number in part]

    def quality(self, number: int, shot: Shot) -> Quality:
        """Of an answer with status 200 to user `number`."""
        if self.targets is None:
            named = (self.figures.get(f"test {shot.tier} {name}@{K}") for name in ("ndcg", "recall"))
            return Quality(*named)
        return judged([item["item_id"] for item in shot.answer["items"]], self.targets[number])


def judged(items: Sequence[str], target: str) -> Quality:
    """The one relevant item at 0-based place r is worth 1 / log2(r + 2), outside the first ten nothing."""
    if target not in items[:K]:
        return NOTHING
    return Quality(1 / math.log2(items.index(target) + 2), 1.0)


def users_of(bundle: Path, data_dir: Path | None, seed: int = 0) -> Users:
    """The test users of the data and setting that the bundle was trained on; made ones without `data_dir`.

    Raises:
        BenchError: no such bundle, or `data_dir` does not hold its dataset.
        WorkloadError: the bundle has no catalogue.
    """
    try:
        manifest = read_manifest(bundle)
    except BundleError as error:
        raise BenchError(error.detail) from None
    if data_dir is not None:
        return _test_users(manifest, data_dir)
    histories = workload.histories(workload.read_items(bundle), MADE, seed)
    source = "expected: the manifest's test figures of the tiers that answered (--data-dir measures it)"
    return Users(histories, None, dict(manifest.metrics), source)


def _test_users(manifest: Manifest, data_dir: Path) -> Users:
    from models.data import DataError, load

    if manifest.setting == "none":
        raise BenchError(f"the bundle {manifest.name} was not trained on data that has test users")
    try:
        data = load(manifest.provenance.dataset, data_dir)
        test = data.split(manifest.setting).test
    except (DataError, OSError, ValueError) as error:
        raise BenchError(f"{data_dir}: {error}") from None
    ids = np.array(data.items.ids)
    histories = [tuple(ids[rows - 1].tolist()) for rows in test.histories]
    source = f"measured: {len(histories):,} test users of {data.name}, setting {manifest.setting}, last item held out"
    return Users(histories, ids[test.targets - 1].tolist(), {}, source)
