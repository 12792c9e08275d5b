"""Which tier an `auto` request gets: the cheapest that its difficulty, the load, its time and its bounds allow."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from service.budget.cost import Costs
from service.budget.ladder import EXACT, SEARCHES, Ladder

Reason = Literal["best", "difficulty", "deadline", "load", "bounds", "frozen"]
WEIGHING = 0.05  # of one request in the running mean of weights
SAFETY = 1.3  # a tier fits where so many times its cost is left


@dataclass(frozen=True)
class Signals:
    """What is known when level 1 is done. `remaining_s`: until the deadline, inf for none; `backlog`: requests queued
    behind; `batch`: requests decided together; `difficulty`: None where it was not measured; `k`: items asked for;
    `lowest`, `highest`: bounds of an experiment; `now`: seconds on a monotonic clock.
    """

    now: float
    remaining_s: float = float("inf")
    backlog: int = 0
    batch: int = 1
    difficulty: float | None = None
    k: int = 10
    lowest: str | None = None
    highest: str | None = None


@dataclass(frozen=True)
class Decision:
    tier: str
    reason: Reason


class Controller:
    """Signals → tier. `thresholds`: a difficulty of at most thresholds[i] needs no more than walk[i].

    Load sets a ceiling: the best tier at which everything waiting would be done within `target_s`. It falls at once
    and rises one step per `hold_s` of calm, so that a queue that comes and goes does not make tiers flap.
    `decide` is called by the thread that owns the device; everything else by any thread.
    """

    def __init__(
        self, ladder: Ladder, costs: Costs, thresholds: Sequence[float], target_s: float, hold_s: float = 0.25
    ) -> None:
        self.costs = costs
        self._ladder = ladder
        self._thresholds = tuple(thresholds[: len(ladder.walk) - 1])
        self._target_s, self._hold_s = target_s, hold_s
        self._ceiling, self._since = len(ladder.walk) - 1, float("-inf")
        self._frozen: str | None = None
        self._weight = 1.0  # what a waiting request costs at least, in requests of `auto` for few items

    @property
    def has_thresholds(self) -> bool:
        """Whether difficulty decides anything."""
        return bool(self._thresholds)

    @property
    def ceiling(self) -> str:
        """The best tier that the load allows."""
        return self._ladder.walk[self._ceiling]

    @property
    def frozen(self) -> str | None:
        """The tier every `auto` request gets, if it was frozen."""
        return self._frozen

    def freeze(self, tier: str | None) -> None:
        """Give every `auto` request this tier, whatever the signals; None thaws.

        Raises:
            UnknownTierError: the bundle has no such tier.
        """
        if tier is not None:
            self._ladder.check(tier)
        self._frozen = tier

    def decide(self, signals: Signals) -> Decision:
        """The lowest of what difficulty needs, load allows and time allows, then moved inside the bounds."""
        frozen = self._frozen
        self._follow(signals)
        if frozen is not None and frozen != EXACT:  # a scan cannot follow the level that has been run by now
            return Decision(frozen, "frozen")
        step, reason = self._needed(signals.difficulty)
        if self._ceiling < step:
            step, reason = self._ceiling, "load"
        if (fitting := self._fitting(signals)) < step:
            step, reason = fitting, "deadline"
        return self._bounded(self._ladder.walk[step], reason, signals)

    def admit(self, backlog: int, remaining_s: float, running: int = 0) -> float | None:
        """None = come in; else seconds until the queue is drained: even at the lowest tier it would be late.

        `backlog`: how many wait; `running`: how many are on the device at the moment.

        Costs are guesses, so some of the time stays in reserve: who is let in to be done just at the deadline is late
        half the time, and then the work was for nothing. An empty queue lets everyone in: best so far beats nothing,
        and only served batches correct the costs.
        """
        if backlog <= 0:
            return None
        wait = self._whole(0, (backlog + running) * self._weight)
        return None if SAFETY * (wait + self._whole(0, 1)) <= remaining_s else wait

    def weigh(self, tiers: Sequence[tuple[str | None, int]]) -> None:
        """What came lately, to know what waits: (tier, items asked for) of a batch, None for a tier not yet chosen.

        A request for many items or a dear tier of its own is as good as several others to whoever stands behind it.
        """
        cheapest = self._ladder.walk[0]
        unit = self._cost(cheapest, 1)
        if not tiers or unit <= 0:
            return
        for tier, k in tiers:
            own = max(1.0, self._cost(tier or cheapest, k) / unit)
            self._weight += WEIGHING * (own - self._weight)

    def observe(self, tier: str, k_plus: int, batch: int, seconds: float) -> None:
        """A batch of this tier took so long; see Costs.observe."""
        self.costs.observe(tier, k_plus, batch, seconds)

    def _needed(self, difficulty: float | None) -> tuple[int, Reason]:
        top = len(self._ladder.walk) - 1
        if difficulty is None or not self._thresholds:
            return top, "best"
        step = sum(not difficulty <= threshold for threshold in self._thresholds)
        return step, "best" if step == top else "difficulty"

    def _fitting(self, signals: Signals) -> int:
        """The best step whose cost, with some safety, fits the time left; 0 where none does."""
        if signals.remaining_s == float("inf"):
            return len(self._ladder.walk) - 1
        return self._best(lambda step: SAFETY * self._part(step, signals.batch, signals.k) <= signals.remaining_s)

    def _follow(self, signals: Signals) -> None:
        """Move the load's ceiling: down at once, up one step for every `hold_s` since it last had to hold."""
        waiting = signals.backlog * self._weight

        def drains(step: int) -> bool:
            return self._part(step, signals.batch, signals.k) + self._whole(step, waiting) <= self._target_s

        wanted, calm = self._best(drains), signals.now - self._since
        if wanted <= self._ceiling:
            self._ceiling, self._since = wanted, max(self._since, signals.now)
        elif calm >= self._hold_s:
            steps = wanted if calm >= wanted * self._hold_s else int(calm / self._hold_s)
            self._ceiling, self._since = min(wanted, self._ceiling + steps), self._since + steps * self._hold_s

    def _best(self, suits: Callable[[int], bool]) -> int:
        return next((step for step in reversed(range(len(self._ladder.walk))) if suits(step)), 0)

    def _cost(self, tier: str, k: int) -> float:
        return self.costs.estimate(tier, self._ladder.k_plus(tier, k), 1)

    def _part(self, step: int, batch: float, k: int = 1) -> float:
        """Seconds of the levels after the first."""
        tier = self._ladder.walk[step]
        return self.costs.estimate(tier, self._ladder.k_plus(tier, k), batch)

    def _whole(self, step: int, batch: float) -> float:
        return self.costs.level1(batch) + self._part(step, batch)

    def _bounded(self, tier: str, reason: Reason, signals: Signals) -> Decision:
        known = self._ladder.names
        lowest = signals.lowest if signals.lowest in known else None
        highest = signals.highest if signals.highest in known else None
        if lowest is None and highest is None:
            return Decision(tier, reason)
        walk = self._ladder.between(lowest, highest)
        if tier in walk:
            return Decision(tier, reason)
        below = SEARCHES.index(tier) < SEARCHES.index(walk[0])
        return Decision(walk[0] if below else walk[-1], "bounds")
