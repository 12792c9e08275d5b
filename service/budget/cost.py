"""What a tier costs: seconds calibrated at warm-up, corrected by what is measured while serving (design section 5)."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from service.budget.ladder import SEARCHES

LEVEL1 = "level1"
STEP = 0.2  # weight of one measurement in the running correction: a change of pace shows after about five
FADE = 0.02  # a tier not measured lately drifts to the pace of the others, so that one slow spell never bans it
PACES = (0.1, 10.0)  # one stalled batch must not look like a slow machine

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class _Curve:
    """Seconds of one tier by batch size: as measured, and smoothed so that they climb."""

    k_plus: int
    measured: tuple[tuple[float, float], ...] = ()
    climbing: tuple[tuple[float, float], ...] = ()

    def at(self, batch: float) -> float:
        """Piecewise linear; beyond the largest batch measured, so many batches of that size."""
        return _line(self.climbing, batch)

    def add(self, batch: int, seconds: float) -> "_Curve":
        measured = tuple(sorted((dict(self.measured) | {float(batch): seconds}).items()))
        return _Curve(self.k_plus, measured, _climbing(measured))


@dataclass(frozen=True)
class _State:
    """Calibration and corrections; replaced whole, so that a reader in another thread always sees one of them."""

    curves: Mapping[str, _Curve] = field(default_factory=lambda: MappingProxyType({}))
    pace: float = 1.0
    paces: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))


class Costs:
    """Seconds one batch takes after level 1, by tier, widths and batch size; `level1` is the part all share.

    Piecewise linear in the batch size, and in K+ between the calibrated searches. Nothing calibrated costs nothing.
    Written by one thread, the one that owns the device; read by any.
    """

    def __init__(self) -> None:
        self._state = _State()

    def calibrate(self, tier: str, k_plus: int, batch: int, seconds: float) -> None:
        """Take a measurement made at warm-up as the truth about `tier` (or LEVEL1) at its own K+."""
        state = self._state
        curve = state.curves.get(tier, _Curve(k_plus)).add(batch, seconds)
        self._state = replace(state, curves=MappingProxyType({**state.curves, tier: curve}))

    def observe(self, tier: str, k_plus: int, batch: int, seconds: float) -> None:
        """Correct the pace, of this tier and of all, by a batch that was served."""
        expected, state = self._expected(tier, k_plus, batch), self._state
        if not expected > 0 or not seconds >= 0:
            return
        ratio = min(max(seconds / expected, PACES[0]), PACES[1])
        pace = state.pace + STEP * (ratio - state.pace)
        paces = {name: own + FADE * (pace - own) for name, own in state.paces.items()}
        own = state.paces.get(tier, state.pace)
        paces[tier] = own + STEP * (ratio - own)
        self._state = replace(state, pace=pace, paces=MappingProxyType(paces))

    def estimate(self, tier: str, k_plus: int, batch: float) -> float:
        """Seconds a batch at this tier is expected to take, at the present pace; 0 for an empty batch."""
        state = self._state
        return self._expected(tier, k_plus, batch) * state.paces.get(tier, state.pace)

    def level1(self, batch: float) -> float:
        """Seconds of what comes before the tiers part: context and level 1 at full width."""
        return self.estimate(LEVEL1, 0, batch)

    def _expected(self, tier: str, k_plus: int, batch: float) -> float:
        curves = self._state.curves
        own = curves.get(tier)
        seconds = own.at(batch) if own else 0.0
        if batch <= 0 or (own and k_plus <= own.k_plus) or tier not in SEARCHES:
            return seconds if batch > 0 else 0.0
        searches = sorted((c.k_plus, c.at(batch)) for name, c in curves.items() if name in SEARCHES)
        return max(seconds, _line(_climbing(searches), k_plus))


def _climbing(points: Points) -> tuple[tuple[float, float], ...]:
    """The same points, none lower than one before it: noise must not make more work look cheaper."""
    highest, climbed = 0.0, []
    for place, height in points:
        highest = max(highest, height)
        climbed.append((float(place), highest))
    return tuple(climbed)


def _line(points: Points, place: float) -> float:
    """Linear between points, level before the first, in proportion beyond the last; 0 without points."""
    if not points:
        return 0.0
    right = bisect_left([x for x, _ in points], place)
    if right == len(points):
        return points[-1][1] * place / points[-1][0]
    if right == 0:
        return points[0][1]
    (x0, y0), (x1, y1) = points[right - 1], points[right]
    return y0 + (y1 - y0) * (place - x0) / (x1 - x0)
