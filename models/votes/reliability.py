"""Is the reward a probability, and does a doubt foretell an error: pure arrays."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

F64 = NDArray[np.float64]
Bool = NDArray[np.bool_]

BINS = 15


@dataclass(frozen=True)
class Reliability:
    """Expected calibration error over BINS bins of equal size, and Brier score, both 0 when perfect."""

    ece: float
    brier: float

    @staticmethod
    def of(share: F64, right: Bool) -> "Reliability":
        """share [U]: the probability given to what was chosen; right [U]: was it the truth?"""
        order, hit = np.argsort(share, kind="stable"), right.astype(np.float64)
        gaps = [abs(share[part].sum() - hit[part].sum()) for part in np.array_split(order, BINS)]
        return Reliability(float(sum(gaps)) / len(share), float(np.square(share - hit).mean()))


def auroc(doubt: F64, wrong: Bool) -> float:
    """Chance that one of the wrong has the larger doubt than one of the right; ties count half. nan without both."""
    ranks, bad = rankdata(doubt), int(wrong.sum())
    good = len(wrong) - bad
    if not bad or not good:
        return float("nan")
    return float((ranks[wrong].sum() - bad * (bad + 1) / 2) / (bad * good))


def auroc_interval(doubt: F64, wrong: Bool, seed: int = 0, resamples: int = 200) -> tuple[float, float]:
    """95 % bootstrap interval over users."""
    rng, count = np.random.default_rng(seed), len(wrong)
    drawn = (rng.integers(count, size=count) for _ in range(resamples))
    low, high = np.nanquantile([auroc(doubt[users], wrong[users]) for users in drawn], [0.025, 0.975])
    return float(low), float(high)
