"""What every tier did for every user and what it cost: measured once, kept, so that ways to spend are compared later.

The file holds no histories: ranks, what level 1 knew, and milliseconds.
"""

import hashlib
import json
import zipfile
import zlib
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models import metrics
from models.metrics import F32, F64, I32
from models.results import ResultsError

LISTED = 10
_FORMAT = "promise-spending-1"


@dataclass(frozen=True)
class Times:
    """CPU milliseconds of single requests, S of them, every part in turn for each.

    encode [S]: encoding, mask, context; exact [S]: the scan, NaN where the PRM forbids one; gauged [S,T]: level 1 at
    full width, its difficulty, and what follows at that tier; gauge [S,T]: the difficulty alone; alone [S,T]: a whole
    search at that tier, no wider in level 1 than its own K+.
    """

    encode: F32
    exact: F32
    gauged: F32
    gauge: F32
    alone: F32

    @property
    def auto(self) -> F64:
        """Median milliseconds [T] of a request that `auto` sends to that tier."""
        return _median(self.encode[:, None] + self.gauged)

    @property
    def fixed(self) -> F64:
        """Median milliseconds [T] of a request at that tier as the service runs it: level 1 is the same for all."""
        return _median(self.encode[:, None] + self.gauged - self.gauge)

    @property
    def search(self) -> F64:
        """Median milliseconds [T] of a request whose search runs by itself."""
        return _median(self.encode[:, None] + self.alone)

    @property
    def scan(self) -> float:
        """Median milliseconds of a request at the exact scan."""
        return float(np.median(self.encode + self.exact))


def _median(milliseconds: F32) -> F64:
    return np.asarray(np.median(milliseconds, axis=0), np.float64)


@dataclass(frozen=True)
class Spending:
    """U users at T tiers, cheapest first, lists of LISTED items. `codes`: digest of the semantic IDs;
    `widths`: (K', K+) by level of the tiers that were tuned.

    rank int32 [U,T] and exact_rank [U]: place of the target, 0 = not listed, ties shuffled. expected f32 [U,T]: the
    NDCG that the PRM itself expects of a list, its softmax over all legal items taken for the truth; labels are not
    needed for it, and it is far less noisy than one target a user. NaN where the PRM cannot scan.
    log_prob, reward f32 [U,C]: level 1 by first code; -inf where a prefix does not exist or is not legal.
    """

    bundle: str
    codes: str
    setting: str
    cases: str
    tiers: tuple[str, ...]
    widths: dict[str, tuple[tuple[int, int], ...]]
    target: I32
    rank: I32
    exact_rank: I32
    expected: F32
    log_prob: F32
    reward: F32
    times: Times

    @property
    def users(self) -> int:
        return len(self.target)

    def ndcg(self) -> F64:
        """[U,T] NDCG@10."""
        return metrics.ndcg_per_user(self.rank, LISTED)

    def exact_ndcg(self) -> F64:
        """[U] NDCG@10 of the exact scan."""
        return metrics.ndcg_per_user(self.exact_rank, LISTED)


def digest(sids: NDArray[np.integer]) -> str:
    """Of semantic IDs [I,d]: what is learned about first codes holds for no others."""
    return hashlib.sha256(np.ascontiguousarray(sids, np.int32).tobytes()).hexdigest()[:16]


def save(spending: Spending, path: Path) -> None:
    """Write everything to one .npz."""
    flat = {f.name: getattr(spending, f.name) for f in fields(spending) if f.name != "times"}
    flat |= {f"times.{f.name}": getattr(spending.times, f.name) for f in fields(Times)}
    head = {name: value for name, value in flat.items() if not isinstance(value, np.ndarray)}
    arrays = {name: value for name, value in flat.items() if isinstance(value, np.ndarray)}
    path.parent.mkdir(parents=True, exist_ok=True)
    header = np.frombuffer(json.dumps({"format": _FORMAT, **head}).encode(), np.uint8)
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, header=header, **arrays)


def load(path: Path) -> Spending:
    """Read what `save` wrote.

    Raises:
        ResultsError: the file is missing, damaged or of another kind.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        head = json.loads(arrays.pop("header").tobytes())
        if head.pop("format") != _FORMAT:
            raise ResultsError(f"{_FORMAT!r} expected")
        times = Times(**{f.name: arrays.pop(f"times.{f.name}") for f in fields(Times)})
        widths = {name: tuple((keep, plus) for keep, plus in levels) for name, levels in head["widths"].items()}
        return Spending(**head | {"tiers": tuple(head["tiers"]), "widths": widths}, **arrays, times=times)
    except (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise ResultsError(f"{path}: not a readable file of measured tiers ({error})") from None
