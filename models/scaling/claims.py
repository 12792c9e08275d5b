"""What the study claims, each as a paired difference over users with its 95 % interval, or a ratio of means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models import metrics
from models.metrics import F64, Interval
from models.results import Result, ResultsError, errors
from models.scaling.flops import Parameters, parameters
from models.scaling.sweep import Swept
from models.scaling.ways import BASE, DEFAULT, EXACT, KEEPS, PEERS, SOME, Way, guided

RESAMPLES = 1000
GUIDED, BEAMS = tuple(f"k{k_keep}" for k_keep in KEEPS), "beams"


@dataclass(frozen=True)
class Ratio:
    """A ratio of two means over the same users, and its interval by a paired bootstrap."""

    ratio: float
    low: float
    high: float


@dataclass(frozen=True)
class Bigger:
    """A small generator's search against a larger one's best plain beam.

    The search has the widths of BASE, chosen before any was run; `cheapest`: the least work whose N@10 surely lies
    above the beam's too. `parameters`: of the small generator with its PRM; `times`: the other's generator to the
    small one's alone; `gain`: N@10 of the search − N@10 of the beam.
    """

    small: str
    way: Way
    flop: float
    ndcg: float
    parameters: Parameters
    large: str
    beam: Way
    large_flop: float
    large_ndcg: float
    large_parameters: int
    times: float
    gain: Interval
    cheapest: Way | None


@dataclass(frozen=True)
class Wider:
    """K+ from one width to another at the same K': HRecall at the last depth, and N@10."""

    narrow: Way
    wide: Way
    hrecall: tuple[float, float]
    hrecall_ratio: Ratio
    ndcg: tuple[float, float]
    ndcg_ratio: Ratio
    gain: Interval


@dataclass(frozen=True)
class Depths:
    """The PRM at some depths against it at the last one alone; search and model error against the exact scan."""

    way: Way
    ndcg: float
    recall: float
    hrecall: float
    search: float
    model: float
    luck: float
    against_leaf: Interval | None


def bigger(small: Swept, large: Swept) -> Bigger:
    """A small one's search against the best of all plain beams of the large one, which test users picked for it.

    Raises:
        ResultsError: either was not swept, or on other users.
    """
    beam, rival = max(_need(large, [BEAMS]), key=lambda pair: pair[1].ndcg(10))
    tried = sorted(_need(small, GUIDED), key=lambda pair: small.facts.flop(pair[0]))
    way, found = next((pair for pair in tried if pair[0] == guided(small.facts.sizes.depth, *BASE)), tried[-1])
    won = (other for other, result in tried if _gain(result, rival).low > 0)
    own, others = parameters(small.facts.sizes), parameters(large.facts.sizes).generator
    return Bigger(
        small.name,
        way,
        small.facts.flop(way),
        found.ndcg(10),
        own,
        large.name,
        beam,
        large.facts.flop(beam),
        rival.ndcg(10),
        others,
        others / own.generator,
        _gain(found, rival),
        next(won, None),
    )


def wider(swept: Swept, k_keep: int, factor: int) -> Wider:
    """K+ = K' against `factor` times as much.

    Raises:
        ResultsError: one of them was not measured.
    """
    depth, group = swept.facts.sizes.depth, swept.results.get(f"k{k_keep}", {})
    ways = [guided(depth, k_keep, k_keep), guided(depth, k_keep, k_keep * factor)]
    if any(way.name not in group for way in ways):
        raise ResultsError(f"{swept.name}: {' or '.join(way.name for way in ways)} was not measured")
    narrow, wide = (group[way.name] for way in ways)
    kept = [_last(result) for result in (narrow, wide)]
    ndcg = [result.per_user("ndcg", 10) for result in (narrow, wide)]
    return Wider(
        ways[0],
        ways[1],
        (float(kept[0].mean()), float(kept[1].mean())),
        ratio(kept[1], kept[0]),
        (float(ndcg[0].mean()), float(ndcg[1].mean())),
        ratio(ndcg[1], ndcg[0]),
        metrics.paired_bootstrap(ndcg[1], ndcg[0], 0),
    )


def depths(swept: Swept) -> list[Depths]:
    """Every set of depths, in the order measured; empty where none was."""
    pairs = [(way, result) for way, result in swept.of(SOME) if way.levels]
    exact, last = swept.results.get(SOME, {}).get(EXACT), (swept.facts.sizes.depth - 1,)
    leaf = next((result for way, result in pairs if way.depths == last), None)
    if leaf is None or exact is None:
        return []
    return [_depths(way, result, exact, None if way.depths == last else _gain(result, leaf)) for way, result in pairs]


def _depths(way: Way, result: Result, exact: Result, against: Interval | None) -> Depths:
    split = errors(result, exact)
    kept = float(_last(result).mean())
    shares = (split.search, split.model, split.luck)
    return Depths(way, result.ndcg(10), result.recall(10), kept, *shares, against)


def served(swept: Swept) -> Mapping[str, Ratio]:
    """The default tier against the exact scan: N@10, R@10, and the scan's CPU time; empty where not measured."""
    group = swept.results.get(PEERS, {})
    if DEFAULT not in group or EXACT not in group:
        return {}
    tier, scan = group[DEFAULT], group[EXACT]
    quality = {f"{m}@10": ratio(tier.per_user(m, 10), scan.per_user(m, 10)) for m in ("ndcg", "recall")}
    return quality | {"ms": ratio(scan.ms.astype(np.float64), tier.ms.astype(np.float64))}


def ratio(above: F64, below: F64, seed: int = 0) -> Ratio:
    """mean(above) / mean(below) over the same users [U]."""
    rng, users = np.random.default_rng(seed), len(above)
    drawn = [rng.integers(users, size=users) for _ in range(RESAMPLES)]
    ratios = [float(above[rows].mean() / max(below[rows].mean(), 1e-12)) for rows in drawn]
    low, high = np.quantile(ratios, [0.025, 0.975])
    return Ratio(float(above.mean() / max(below.mean(), 1e-12)), float(low), float(high))


def _gain(found: Result, other: Result) -> Interval:
    if not np.array_equal(found.target, other.target):
        raise ResultsError(f"{found.method} and {other.method} were not measured on the same users")
    return metrics.paired_bootstrap(found.per_user("ndcg", 10), other.per_user("ndcg", 10), 0)


def _last(result: Result) -> F64:
    assert result.paths is not None
    return result.paths.kept[:, -1].astype(np.float64)


def _need(swept: Swept, wanted: Sequence[str]) -> list[tuple[Way, Result]]:
    found = [pair for group in wanted for pair in swept.of(group)]
    if not found:
        raise ResultsError(f"{swept.name}: none of {', '.join(wanted)} was measured")
    return found
