"""The cases of the GPU benchmark: calls timed round by round, the device watched, lists compared with a CPU's."""

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from loadtest.bench import answers
from loadtest.bench.gpu_device import Busy, Gpu
from loadtest.bench.gpu_search import Searches, Tier
from loadtest.bench.output import spread

TOLERANCE = 1e-3  # between a CPU's scores and a GPU's


@dataclass(frozen=True)
class Case:
    """One tier and batch of one model, and how long its calls took, in seconds, round by round."""

    searches: Searches
    tier: Tier
    batch: int
    rounds: list[list[float]] = field(default_factory=list)

    def run(self, calls: int) -> list[float]:
        """Seconds of so many calls, each with the next histories."""
        plan, seconds = self.tier.plan(self.searches.engine.bundle), []
        for number in range(calls):
            rows = self.searches.batch(number * self.batch, self.batch)
            started = time.perf_counter()
            self.searches.ask(rows, plan)
            seconds.append(time.perf_counter() - started)
        return seconds

    def watch(self, gpu: Gpu | None, seconds: float) -> float | None:
        """Share of time in which the device was busy while calls follow each other."""
        if gpu is None:
            return None
        with Busy(gpu) as busy:
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                self.run(1)
        return busy.share

    def figures(self, share: float | None) -> dict[str, Any]:
        every = [1000 * value for seconds in self.rounds for value in seconds]
        p50, p99 = np.percentile(every, [50, 99]).tolist()
        rates = [self.batch * len(seconds) / sum(seconds) for seconds in self.rounds]
        facts = {"tier": self.tier.name, "batch": self.batch, "calls": len(every)}
        return facts | {"p50_ms": p50, "p99_ms": p99, "per_second": spread(rates), "device_share": share}


def agreement(here: Searches, there: Searches, tier: Tier, batch: int) -> dict[str, Any]:
    """Lists of `here`, one by one, against those of `there` in batches: how many differ beyond near-equal scores."""
    plan = tier.plan(here.engine.bundle)
    ones, others = here.answers(plan, 1), there.answers(plan, batch)
    differ = [n for n, pair in enumerate(zip(ones, others, strict=True)) if not answers.same(*pair, TOLERANCE)]
    furthest = answers.furthest(ones, others)
    return {
        "lists": len(ones),
        "different": len(differ),
        "largest_score_difference": furthest,
        "within_tolerance": furthest <= TOLERANCE,
    }
