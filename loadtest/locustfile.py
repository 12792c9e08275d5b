"""Users of the service, over HTTP only: returning, cold, new, hurried, with mixed budgets. Exit code 1 = a gate failed.

    locust -f loadtest/locustfile.py --headless -u 16 -r 8 -t 60s --host http://127.0.0.1:8000

Histories are the samples of a bundle folder (--bundle). Locust is a closed loop: users wait for their answers, so a
stall hides the requests that it delayed.
"""

import random
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from locust import FastHttpUser, between, events, task
from locust.env import Environment
from locust.runners import WorkerRunner

K = 10
TIERS = ("floor", "k10", "k20", "k50", "k100")
DEADLINES_MS = (20, 50, 100, 250)


@cache
def histories(bundle: str) -> tuple[tuple[str, ...], ...]:
    """The bundle's sample histories as item ids.

    Raises:
        OSError, KeyError, ValueError: the folder holds no readable catalogue.npz.
    """
    with np.load(Path(bundle) / "catalogue.npz", allow_pickle=False) as catalogue:
        ids, rows, lengths = (catalogue[name] for name in ("ids", "sample_items", "sample_lengths"))
    return tuple(tuple(map(str, ids[part - 1])) for part in np.split(rows, np.cumsum(lengths)[:-1]) if len(part))


def add_options(parser: ArgumentParser, **_: Any) -> None:
    parser.add_argument("--bundle", default="models/bundles/beauty", help="bundle whose sample histories are played")
    parser.add_argument("--max-failures", type=float, default=0.01, help="gate: highest share of failed requests")
    parser.add_argument("--max-p95-ms", type=float, default=500.0, help="gate: highest 95th percentile of latency")


def check_histories(environment: Environment, **_: Any) -> None:
    options = environment.parsed_options
    if options is None:
        return
    try:
        found = histories(options.bundle)
    except (OSError, KeyError, ValueError) as error:
        sys.exit(f"{options.bundle} has no readable sample histories ({error}); name a bundle folder with --bundle.")
    if not found:
        sys.exit(f"{options.bundle} holds no sample histories; name another bundle folder with --bundle.")


def judge(environment: Environment, **_: Any) -> None:
    """The gates. Workers leave the verdict to their master, which has everyone's figures."""
    runner, options = environment.runner, environment.parsed_options
    if runner is None or options is None or isinstance(runner, WorkerRunner):
        return
    total = environment.stats.total
    p95 = total.get_response_time_percentile(0.95) if total.num_requests else 0.0
    verdicts = [
        (total.num_requests > 0, "no request was answered"),
        (total.fail_ratio <= options.max_failures, f"{total.fail_ratio:.2%} of requests failed"),
        (p95 <= options.max_p95_ms, f"the 95th percentile is {p95:.0f} ms"),
        (not runner.exceptions, "the load test itself raised an exception"),
    ]
    broken = [sentence for kept, sentence in verdicts if not kept]
    for sentence in broken:
        sys.stderr.write(f"Gate failed: {sentence}.\n")
    environment.process_exit_code = 1 if broken else 0


def fault(answer: Any, history: Sequence[str], k: int) -> str | None:
    """What is wrong with a response body: too many, repeated or already seen items; None when nothing is."""
    if not isinstance(answer, dict) or not isinstance(answer.get("items"), list):
        return "the body holds no list of items"
    items = [item["item_id"] for item in answer["items"]]
    if not items or len(items) > k:
        return f"{len(items)} items for k = {k}"
    if len(set(items)) < len(items):
        return "an item is repeated"
    return "an item of the history came back" if set(items) & set(history) else None


class Shopper(FastHttpUser):
    """One person with one history, who mostly comes back with it, so that its encoding is a cache hit."""

    wait_time = between(0.01, 0.1)

    def on_start(self) -> None:
        self.name = f"u{random.getrandbits(48):x}"
        self.history = self.sample()

    def sample(self) -> list[str]:
        return list(random.choice(histories(self.environment.parsed_options.bundle)))

    @task(6)
    def returning(self) -> None:
        self.recommend("returning", self.history)

    @task(2)
    def cold(self) -> None:
        """A history nobody sent before: a sample in another order."""
        history = self.sample()
        self.recommend("cold", random.sample(history, len(history)))

    @task(2)
    def budgeted(self) -> None:
        tier = random.choice(TIERS)
        self.recommend(f"budget {tier}", self.history, budget=tier)

    @task(1)
    def hurried(self) -> None:
        deadline = random.choice(DEADLINES_MS)
        self.recommend("hurried", self.history, headers={"X-Request-Timeout-Ms": str(deadline)}, budget="auto")

    @task(1)
    def newcomer(self) -> None:
        self.recommend("newcomer", [])

    @task(1)
    def buying(self) -> None:
        """Take the best item: the history grows by one, the next visit is a miss."""
        bought = self.recommend("buying", self.history)
        self.history = [*self.history, *bought[:1]][-50:]

    def recommend(
        self, scenario: str, history: list[str], headers: dict[str, str] | None = None, **extra: Any
    ) -> list[str]:
        body = {"user_id": self.name, "history": history, "k": K, **extra}
        name = f"/recommend {scenario}"
        with self.rest("POST", "/recommend", headers=headers, name=name, json=body) as answered:
            response: Any = answered
            wrong = fault(response.js, history, K) if response.status_code == 200 else f"HTTP {response.status_code}"
            if wrong:
                response.failure(wrong)
            return [] if wrong else [item["item_id"] for item in response.js["items"]]


LISTENERS: Any = events  # locust leaves add_listener unannotated
LISTENERS.init_command_line_parser.add_listener(add_options)
LISTENERS.init.add_listener(check_histories)
LISTENERS.quitting.add_listener(judge)
