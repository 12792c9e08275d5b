"""Are units split as the weights say? A sample-ratio mismatch means that assignment, exposure or logging is broken.

Two answers to the same question. Pearson's chi-square is right for one look at the end. The sequential p-value may be
watched all the time: it is the inverse of the Bayes factor of a Dirichlet-multinomial against the weights, which under
the weights exceeds 1/p at any time with probability p at most (Ville). Both need exposures that do not depend on the
bucket: where one bucket acts more often than another, the mismatch is real but not a fault of the hash.
"""

import math
from collections.abc import Sequence

ALARM = 0.001  # below this p-value a mismatch is announced
# Pseudo-counts of the alternative. 100 notices 55 % instead of 50 % within about 1,700 units, 52 % within 11,000 and
# 51 % within 45,000 (medians at p < 0.001); ten times more or less is up to twice as slow somewhere in that range.
CONCENTRATION = 100.0
_TINY = 1e-300


def chi_square_p(counts: Sequence[int], weights: Sequence[float]) -> float:
    """p of Pearson's test of the counts against the weights (not negative, sum 1); 1 where there is nothing to test.

    A unit in a bucket of weight zero has p = 0.
    """
    kept, total = _possible(counts, weights), sum(counts)
    if kept is None:
        return 0.0
    if total == 0 or len(kept) < 2:
        return 1.0
    statistic = sum((count - total * weight) ** 2 / (total * weight) for count, weight in kept)
    return gamma_q((len(kept) - 1) / 2, statistic / 2)


def sequential_p(counts: Sequence[int], weights: Sequence[float], concentration: float = CONCENTRATION) -> float:
    """p that holds at every look: the inverse Bayes factor of Dirichlet(concentration · weights) against the weights.

    1 is the largest, and what too few units give; a unit in a bucket of weight zero has p = 0.
    """
    kept = _possible(counts, weights)
    if kept is None:
        return 0.0
    total = sum(count for count, _ in kept)
    log_factor = math.lgamma(concentration) - math.lgamma(concentration + total)
    for count, weight in kept:
        prior = concentration * weight
        log_factor += math.lgamma(prior + count) - math.lgamma(prior) - count * math.log(weight)
    return min(1.0, math.exp(min(0.0, -log_factor)))


def gamma_q(a: float, x: float) -> float:
    """Upper regularised incomplete gamma function Q(a, x) for a > 0, x ≥ 0: a power series, or a continued fraction."""
    if x <= 0:
        return 1.0
    scale = math.exp(a * math.log(x) - x - math.lgamma(a))
    if scale == 0.0:
        return 1.0 if x < a else 0.0
    return max(0.0, 1.0 - scale * _series(a, x)) if x < a + 1 else scale * _fraction(a, x)


def _possible(counts: Sequence[int], weights: Sequence[float]) -> list[tuple[int, float]] | None:
    """Counts with the weights above zero, which then sum to 1 exactly; None where the weights rule the counts out."""
    whole = math.fsum(weights)
    pairs = list(zip(counts, weights, strict=True))
    if any(count and not weight for count, weight in pairs):
        return None
    return [(count, weight / whole) for count, weight in pairs if weight]


def _series(a: float, x: float) -> float:
    """Σ xⁿ / (a (a + 1) … (a + n)), until a term changes nothing; its terms fall, as x < a + 1."""
    term = total = 1 / a
    n = a
    while abs(term) > total * 1e-17:
        n += 1
        term *= x / n
        total += term
    return total


def _fraction(a: float, x: float) -> float:
    """The continued fraction of Q without its scale, by Lentz's method; it converges as x ≥ a + 1."""
    b = x + 1 - a
    c, d = 1 / _TINY, 1 / b
    value, change, i = d, 0.0, 0
    while abs(change - 1) > 1e-15 and i < 100_000:
        i += 1
        step = -i * (i - a)
        b += 2
        d = 1 / _away_from_zero(step * d + b)
        c = _away_from_zero(b + step / c)
        change = c * d
        value *= change
    return value


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
