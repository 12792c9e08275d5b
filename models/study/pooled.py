"""Arms that were run by several seeds: every seed beside its control of the same seed, and all seeds together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.metrics import F64, Interval, paired_bootstrap
from models.report import interval, share, to_markdown
from models.results import ResultsError, compare
from models.study.run import EXACT, GUIDED, Judged

SEED = "-seed"  # parts an arm's name from the seed it was run by; seed 0 has the name alone


@dataclass(frozen=True)
class Pooled:
    """An arm's difference to its control in NDCG@10: by every seed, and over all of them."""

    name: str
    control: str
    each: list[Interval]
    together: Interval


def pooled(judged: Sequence[Judged], method: str = GUIDED) -> list[Pooled]:
    """The arms run by as many seeds as the first one, each beside its control, which by default is the first one.

    A user counts once, by its mean over seeds, so that users are what is resampled; nothing where there is one seed.

    Raises:
        ResultsError: the seeds were not judged on the same users.
    """
    groups, found = _groups(judged), []
    seeds = len(next(iter(groups.values())))
    for name, arms in groups.items():
        control = arms[0].arm.control or next(iter(groups))
        base = groups.get(control, [])
        if name != control and len(arms) == len(base) == seeds > 1:
            pairs = [(one.of(method), other.of(method)) for one, other in zip(arms, base, strict=True)]
            each = [compare(one, other)["ndcg@10"] for one, other in pairs]
            together = paired_bootstrap(_mean(arms, method), _mean(base, method), 0)
            found.append(Pooled(name, control, each, together))
    return found


def section(judged: Sequence[Judged]) -> str:
    """The table in markdown; empty without a second seed."""
    lines = [
        [f"{arm.name} to {arm.control}", method, *map(interval, arm.each), interval(arm.together)]
        for method in (GUIDED, EXACT)
        for arm in pooled(judged, method)
    ]
    if not lines:
        return ""
    seeds = len(lines[0]) - 3
    levels = [_levels(name, arms) for name, arms in _groups(judged).items() if len(arms) == seeds]
    head = ["arm", "method", *(f"ΔN@10, seed {seed}" for seed in range(seeds)), "ΔN@10, all seeds [95 % CI]"]
    return (
        f"{seeds} seeds of training and of semantic IDs, paired by seed; over all seeds a user counts by its mean.\n\n"
        f"{to_markdown(head, lines)}\n{' '.join(levels)}\n"
    )


def _levels(name: str, arms: Sequence[Judged]) -> str:
    values = [arm.of(GUIDED).ndcg(10) for arm in arms]
    return f"{name}: guided N@10 {', '.join(map(share, values))}, mean {share(float(np.mean(values)))}."


def _groups(judged: Sequence[Judged]) -> dict[str, list[Judged]]:
    groups: dict[str, list[Judged]] = {}
    for arm in sorted(judged, key=lambda arm: arm.arm.recipe.training.seed):
        groups.setdefault(arm.arm.name.partition(SEED)[0], []).append(arm)
    return groups


def _mean(arms: Sequence[Judged], method: str) -> F64:
    results = [arm.of(method) for arm in arms]
    if not all(np.array_equal(result.target, results[0].target) for result in results):
        raise ResultsError(f"the seeds of {arms[0].arm.name} were not judged on the same users and item rows")
    return np.asarray(np.mean([result.per_user("ndcg", 10) for result in results], axis=0), np.float64)
