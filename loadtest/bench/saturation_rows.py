"""What came of one cell of a saturation run (a mode at a rate, once), and the repeats of a cell together."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from loadtest.bench.output import spread
from loadtest.bench.saturation_users import Users
from loadtest.seconds import GOOD, SHED, Shot, percentiles_ms

FIGURES = ("offered", "goodput", "p50_ms", "p99_ms", "shed", "late", "cut", "ndcg_a_second")
QUALITIES = {"ndcg": "goodput", "recall": "goodput", "ndcg_offered": "offered", "recall_offered": "offered"}


@dataclass(frozen=True)
class Cell:
    """Arrivals after the warm-up. Rates a second; `shed`, `late`, `cut` (degraded) as shares of what was offered.

    Latencies in ms from the intended start, of all answers with status 200. `ndcg` and `recall`: the mean over answers
    in time; `…_offered`: over everything offered, late or refused being worth nothing; `ndcg_a_second`: their sum.
    Nones: nothing was answered, or the quality of a tier is not known.
    """

    mode: str
    factor: float
    repeat: int
    offered: float
    goodput: float
    p50_ms: float | None
    p99_ms: float | None
    shed: float
    late: float
    cut: float
    ndcg: float | None
    recall: float | None
    ndcg_offered: float | None
    recall_offered: float | None
    ndcg_a_second: float | None
    failed: int
    skipped: int
    tiers: dict[str, int]
    driver_busy: float
    driver_late_ms: float


@dataclass(frozen=True)
class Run:
    """How one cell was run: `users[n]` asked by shot n, shots before `warm_s` do not count, `busy`: of the driver."""

    mode: str
    factor: float
    repeat: int
    users: Sequence[int]
    warm_s: float
    seconds: float
    deadline_s: float
    busy: float


def cell(shots: Iterable[Shot], run: Run, users: Users) -> Cell:
    """The figures of one cell."""
    counted = [shot for shot in shots if shot.intended >= run.warm_s]
    good = [shot for shot in counted if shot.status == GOOD]
    timely = [shot for shot in good if not shot.late(run.deadline_s)]
    qualities = [users.quality(run.users[shot.number], shot) for shot in timely]
    ndcg, recall = ([getattr(one, name) for one in qualities] for name in ("ndcg", "recall"))
    wall, whole = run.seconds - run.warm_s, max(1, len(counted))
    p50, _, p99, _ = percentiles_ms(good)
    summed = _sum(ndcg)
    return Cell(
        mode=run.mode,
        factor=run.factor,
        repeat=run.repeat,
        offered=len(counted) / wall,
        goodput=len(timely) / wall,
        p50_ms=p50,
        p99_ms=p99,
        shed=sum(shot.status == SHED and not shot.failed for shot in counted) / whole,
        late=(len(good) - len(timely)) / whole,
        cut=sum(bool(shot.answer.get("degraded")) for shot in good) / whole,
        ndcg=_mean(ndcg, len(timely)),
        recall=_mean(recall, len(timely)),
        ndcg_offered=_mean(ndcg, whole),
        recall_offered=_mean(recall, whole),
        ndcg_a_second=None if summed is None else summed / wall,
        failed=sum(shot.failed for shot in counted),
        skipped=sum(shot.skipped for shot in counted),
        tiers=dict(Counter(shot.tier for shot in timely)),
        driver_busy=run.busy,
        driver_late_ms=1000 * max((shot.sent - shot.intended for shot in counted if not shot.skipped), default=0.0),
    )


def _sum(values: Sequence[float | None]) -> float | None:
    """None where one of them is not known; no answers at all are worth 0."""
    known = [value for value in values if value is not None]
    return sum(known, 0.0) if len(known) == len(values) else None


def _mean(values: Sequence[float | None], count: int) -> float | None:
    summed = _sum(values)
    return None if summed is None or not count else summed / count


def rows(cells: Sequence[Cell]) -> list[dict[str, Any]]:
    """One row a mode and factor: median, smallest and largest of its repeats, its tiers together.

    Qualities have a `mean` instead of the median: that of all lists of all repeats.
    """
    groups: dict[tuple[str, float], list[Cell]] = {}
    for one in cells:
        groups.setdefault((one.mode, one.factor), []).append(one)
    return [{"mode": mode, "factor": factor} | _row(group) for (mode, factor), group in groups.items()]


def _row(group: Sequence[Cell]) -> dict[str, Any]:
    tiers = Counter[str]()
    for one in group:
        tiers.update(one.tiers)
    row: dict[str, Any] = {name: _spread(getattr(one, name) for one in group) for name in FIGURES}
    row |= {name: _pooled(group, name, weight) for name, weight in QUALITIES.items()}
    return (
        row
        | {name: sum(getattr(one, name) for one in group) for name in ("failed", "skipped")}
        | {"tiers": dict(tiers)}
    )


def _spread(values: Iterable[float | None]) -> dict[str, float] | None:
    known = [value for value in values if value is not None]
    return spread(known) if known else None


def _pooled(group: Sequence[Cell], name: str, weight: str) -> dict[str, float] | None:
    known = [(value, getattr(one, weight)) for one in group if (value := getattr(one, name)) is not None]
    whole = sum(weight for _, weight in known)
    if not whole:
        return None
    values = [value for value, _ in known]
    return {"mean": sum(value * weight for value, weight in known) / whole, "min": min(values), "max": max(values)}


def ratios(cells: Sequence[Cell], mode: str, other: str, name: str) -> dict[float, dict[str, float]]:
    """By factor: a figure of one mode against another's, repeat by repeat (both had the same users and arrivals)."""
    found: dict[float, list[float]] = {}
    values = {(one.mode, one.factor, one.repeat): getattr(one, name) for one in cells}
    for (which, factor, repeat), value in values.items():
        against = values.get((other, factor, repeat))
        if which == mode and value is not None and against:
            found.setdefault(factor, []).append(value / against)
    return {factor: spread(several) for factor, several in found.items()}


def plain(cells: Sequence[Cell]) -> list[Mapping[str, Any]]:
    return [asdict(one) for one in cells]
