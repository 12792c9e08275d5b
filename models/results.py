"""What one method did for every user: kept per user, so that any two runs can be compared pair by pair later."""

import json
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models import metrics
from models.metrics import F32, F64, I32, Bool, Interval

_FORMAT = "promise-results-1"


class ResultsError(ValueError):
    """Results that cannot be read, compared, tabulated or drawn as asked; one sentence."""


@dataclass(frozen=True)
class Paths:
    """Fate of the true prefix at every depth, bool [U,d] each.

    pool: it was among the K+ expanded; kept: it was among the K' kept; beam: it was among the K' most probable of the
    same pool, which is what a beam without PRM would have kept. Without PRM kept = beam.
    """

    pool: Bool
    kept: Bool
    beam: Bool


@dataclass(frozen=True)
class Result:
    """One method over U users.

    target int32 [U] item rows; rank int32 [U], 0 = not in the list, ties shuffled; rank_by_order: ties as listed.
    width: length of the lists, beyond which no metric is known. k_keep, k_plus: widest level, 0 for a full ranking.
    paths: None where there was no search. ms f32 [S]: single requests one at a time, cold encode included.
    """

    method: str
    target: I32
    rank: I32
    rank_by_order: I32
    width: int
    k_keep: int
    k_plus: int
    paths: Paths | None
    ms: F32

    @property
    def users(self) -> int:
        return len(self.rank)

    def recall(self, k: int, *, by_order: bool = False) -> float:
        """Recall@k; k must not exceed the lists' width."""
        return float(self.per_user("recall", k, by_order=by_order).mean())

    def ndcg(self, k: int, *, by_order: bool = False) -> float:
        """NDCG@k; k must not exceed the lists' width."""
        return float(self.per_user("ndcg", k, by_order=by_order).mean())

    def per_user(self, metric: str, k: int, *, by_order: bool = False) -> F64:
        """[U] recall@k or ndcg@k of every user.

        Raises:
            ValueError: an unknown metric, or k beyond the width of the lists.
        """
        if not 1 <= k <= self.width:
            raise ResultsError(f"{self.method} listed {self.width} items a user, so @{k} is not known")
        rank = self.rank_by_order if by_order else self.rank
        if metric == "recall":
            return metrics.recall_per_user(rank, k)
        if metric == "ndcg":
            return metrics.ndcg_per_user(rank, k)
        raise ResultsError(f"unknown metric {metric!r}: recall or ndcg expected")

    def hrecall(self) -> F64 | None:
        """HRecall@b@K' for b = 1 .. d."""
        return metrics.hrecall(self.paths.kept) if self.paths else None

    def rescue(self) -> F64 | None:
        """Share of users rescued by the PRM, per depth."""
        return metrics.rescue(self.paths.kept, self.paths.beam) if self.paths else None

    def damage(self) -> F64 | None:
        """Share of users harmed by the PRM, per depth."""
        return metrics.damage(self.paths.kept, self.paths.beam) if self.paths else None

    def median_ms(self) -> float | None:
        """Median milliseconds of a single request; None when nothing was timed."""
        return float(np.median(self.ms)) if self.ms.size else None


@dataclass(frozen=True)
class Errors:
    """Shares of users at the first k: `search` = the exact ranking has the target, the search lost it;
    `model` = the exact ranking misses it too; `luck` = the search has it although the exact ranking does not.

    Misses of the search = search + model - luck. The exact scan ranks by reward alone, so with a scoring weight
    above 0 the search aims at another ranking and `search` and `luck` include that difference.
    """

    search: float
    model: float
    luck: float


def errors(found: Result, exact: Result, k: int = 10) -> Errors:
    """Split the misses of `found` at k into search error and model error, against the exact ranking of one PRM."""
    _same_users(found, exact)
    hit, known = found.per_user("recall", k) > 0, exact.per_user("recall", k) > 0
    return Errors(float((known & ~hit).mean()), float((~known).mean()), float((hit & ~known).mean()))


def compare(a: Result, b: Result, seed: int = 0, k: int = 10) -> dict[str, Interval]:
    """Paired bootstrap over users (1,000 resamples) of a - b: {"recall@k": ..., "ndcg@k": ...}.

    Raises:
        ValueError: the two results are not about the same users.
    """
    _same_users(a, b)
    return {
        f"{metric}@{k}": metrics.paired_bootstrap(a.per_user(metric, k), b.per_user(metric, k), seed)
        for metric in ("recall", "ndcg")
    }


def choose(results: Sequence[Result]) -> int:
    """Which of several searches to prefer to the first one.

    The best NDCG@10 where its paired 95 % interval against the first lies above zero. Else, among those that are not
    surely worse than the first, the one that keeps the most true prefixes (mean HRecall over depths; ties: the first).

    Raises:
        ResultsError: one of them is no search, or is not about the same users.
    """
    gains = [compare(result, results[0])["ndcg@10"] for result in results]
    best = int(np.argmax([result.ndcg(10) for result in results]))
    if gains[best].low > 0:
        return best
    kept = [result.hrecall() for result in results]
    if any(each is None for each in kept):
        raise ResultsError("only searches keep prefixes, so only searches can be compared by them")
    level = [number for number, gain in enumerate(gains) if gain.high >= 0]
    return max(level, key=lambda number: float(np.mean(kept[number])))  # type: ignore[arg-type]  # None was refused


def _same_users(a: Result, b: Result) -> None:
    if not np.array_equal(a.target, b.target):
        raise ResultsError(f"{a.method} and {b.method} were not evaluated on the same users and item rows")


def save(results: Sequence[Result], path: Path) -> None:
    """Write per-user ranks and paths of several methods to one .npz."""
    arrays: dict[str, NDArray[np.generic]] = {}
    heads = []
    for number, result in enumerate(results):
        flat = {f.name: getattr(result, f.name) for f in fields(result) if f.name != "paths"}
        flat |= asdict(result.paths) if result.paths else {}
        arrays |= {f"{number}.{name}": value for name, value in flat.items() if isinstance(value, np.ndarray)}
        heads.append({name: value for name, value in flat.items() if not isinstance(value, np.ndarray)})
    path.parent.mkdir(parents=True, exist_ok=True)
    header = np.frombuffer(json.dumps({"format": _FORMAT, "results": heads}).encode(), np.uint8)
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, header=header, **arrays)


def load(path: Path) -> list[Result]:
    """Read what `save` wrote.

    Raises:
        ValueError: the file is missing, damaged or of another kind.
    """
    try:
        # Opened here, because numpy forgets to close a file that is no archive.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        header = json.loads(arrays["header"].tobytes())
        if header["format"] != _FORMAT:
            raise ResultsError(f"format {header['format']!r}, {_FORMAT!r} expected")
        return [_unpack(head, arrays, f"{number}.") for number, head in enumerate(header["results"])]
    except (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise ResultsError(f"{path}: not a readable file of evaluation results ({error})") from None


def _unpack(head: dict[str, str | int], arrays: dict[str, NDArray[np.generic]], start: str) -> Result:
    own = {name.removeprefix(start): value for name, value in arrays.items() if name.startswith(start)}
    depths = {name: own.pop(name) for name in ("pool", "kept", "beam") if name in own}
    return Result(**head, **own, paths=Paths(**depths) if depths else None)  # type: ignore[arg-type]
