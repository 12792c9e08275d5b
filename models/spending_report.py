"""Quality against mean compute: fixed tiers, `auto`, lots, oracles. Rows for terminals, markdown, JSON and the plot."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models import allocation, walk
from models.allocation import Allocation
from models.manifest import Walk
from models.metrics import F32, F64, Interval
from models.report import interval, share, to_markdown
from models.results import ResultsError
from models.spending import Spending

_ABSENT = "–"


@dataclass(frozen=True)
class Row:
    """One way to spend beside the best fixed tier and beside `auto`; None where it is that one itself."""

    way: Allocation
    of_best: float
    to_best: Interval | None
    from_auto: Interval | None


@dataclass(frozen=True)
class Study:
    """All ways on one set of users. `best`: the fixed tier that was best on validation, the top of the walk."""

    tiers: tuple[str, ...]
    users: int
    best: str
    rows: tuple[Row, ...]

    def row(self, name: str) -> Row:
        """The row of that name; raises KeyError where there is none."""
        found = {row.way.name: row for row in self.rows}
        return found[name]


def study(spending: Spending, chosen: Walk, difficulty: F32) -> Study:
    """Judge a walk chosen elsewhere on these users, whose difficulty [U] its own gauge measured.

    Raises:
        ResultsError: other tiers were measured than the walk has, or it lays no thresholds.
    """
    top = len(chosen.tiers)
    if chosen.tiers != spending.tiers[:top] or not chosen.thresholds:
        raise ResultsError(f"the walk {', '.join(chosen.tiers)} cannot be judged on {', '.join(spending.tiers)}")
    ndcg, times = spending.ndcg(), spending.times
    ways = [allocation.fixed(name, ndcg, times.fixed, tier) for tier, name in enumerate(spending.tiers)]
    auto = allocation.spend("auto", ndcg, times.auto, allocation.by_difficulty(difficulty, chosen.thresholds))
    best = ways[top - 1]
    rivals = [allocation.at_random(ndcg, times.auto, auto.shares)]
    rivals += [allocation.mixture("best lottery of fixed tiers", ndcg, times.fixed, auto.cost)]
    rivals += _oracles(spending, auto.cost)
    rows = (_row(way, best, auto) for way in (*ways, *_scan(spending), auto, *rivals))
    return Study(spending.tiers, spending.users, best.name, tuple(rows))


def _scan(spending: Spending) -> list[Allocation]:
    if np.isnan(spending.times.scan):
        return []
    nowhere = np.zeros(len(spending.tiers))
    return [Allocation("exact", spending.exact_ndcg(), spending.times.scan, nowhere)]


def _oracles(spending: Spending, spent: float) -> list[Allocation]:
    """Who knows what the PRM expects of every list, and who knows the target; both pay for level 1 as `auto` does."""
    ndcg, cost, found = spending.ndcg(), spending.times.auto, []
    if not np.isnan(spending.expected).any():
        steps = allocation.oracle(walk.worth(spending), cost, spent)
        found.append(allocation.spend("oracle of the PRM's belief", ndcg, cost, steps))
    return [*found, allocation.spend("oracle of the target", ndcg, cost, allocation.oracle(ndcg, cost, spent))]


def _row(way: Allocation, best: Allocation, auto: Allocation) -> Row:
    to_best = None if way is best else allocation.difference(way, best)
    from_auto = None if way is auto else allocation.difference(auto, way)
    return Row(way, way.cost / best.cost, to_best, from_auto)


def frontiers(validation: Spending, test: Spending, hard: tuple[F32, F32]) -> list[tuple[Allocation, Allocation]]:
    """`auto` at every price, thresholds laid on validation and judged on test, and its mix by lot; cheapest first.

    `hard`: difficulty of the validation and of the test users.
    """
    top = walk.best_fixed(validation) + 1
    points = walk.frontier(hard[0], walk.worth(validation)[:, :top], validation.times.auto[:top])
    ndcg, cost = test.ndcg()[:, :top], test.times.auto[:top]
    spent = [allocation.spend("auto", ndcg, cost, allocation.by_difficulty(hard[1], p.thresholds)) for p in points]
    return [(auto, allocation.at_random(ndcg, cost, auto.shares)) for auto in spent]


def cells(found: Study) -> tuple[list[str], list[list[str]]]:
    """Header and cells of the table."""
    head = ["way to spend", "ms", f"of {found.best}", "N@10", f"Δ to {found.best} [95 % CI]", "auto − it [95 % CI]"]
    return [*head, *found.tiers], [_cells(row) for row in found.rows]


def _cells(row: Row) -> list[str]:
    pairs = [interval(pair) if pair else _ABSENT for pair in (row.to_best, row.from_auto)]
    mix = [f"{part:.1%}" if part else _ABSENT for part in row.way.shares]
    return [row.way.name, f"{row.way.cost:.2f}", f"{row.of_best:.1%}", share(row.way.quality), *pairs, *mix]


def page(found: Study) -> str:
    """The table in markdown, and how far `auto` goes towards the oracle."""
    way = closed(found)
    lines = [
        f"{found.users:,} users; differences of N@10 are paired, intervals 95 %; ms are CPU time of single requests.",
        to_markdown(*cells(found)).strip(),
    ]
    if way is not None:
        lines.append(
            f"From random to the oracle of the PRM's belief at the same cost, `auto` goes {way:.0%} of the way."
        )
    return "\n\n".join(lines)


def as_json(found: Study) -> list[dict[str, object]]:
    """One JSON-ready dictionary a row."""
    return [
        {
            "way": row.way.name,
            "ms": row.way.cost,
            "of_best": row.of_best,
            "ndcg@10": row.way.quality,
            "to_best": vars(row.to_best) if row.to_best else None,
            "from_auto": vars(row.from_auto) if row.from_auto else None,
            "shares": dict(zip(found.tiers, row.way.shares.tolist(), strict=True)),
        }
        for row in found.rows
    ]


def closed(found: Study) -> float | None:
    """How much of the way from random to the oracle of the PRM's belief `auto` goes at the same cost."""
    try:
        oracle = found.row("oracle of the PRM's belief").way.quality
    except KeyError:
        return None
    lot = found.row("random, same mix").way.quality
    return (found.row("auto").way.quality - lot) / (oracle - lot)


def curve(ways: Sequence[Allocation]) -> tuple[F64, F64]:
    """Milliseconds and NDCG@10 of several ways, for a plot."""
    return np.array([way.cost for way in ways]), np.array([way.quality for way in ways])
