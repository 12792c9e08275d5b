"""Measured tiers with a planted rule: a request is hard when the PRM believes in the second half of the codes."""

import numpy as np

from models.spending import Spending, Times

TIERS = ("floor", "k10", "k20", "k50")
WIDTH = 12


def made_spending(users: int = 1200, seed: int = 0, known: bool = True) -> Spending:
    """Hard users need k50, easy ones only k10; a third of all targets is found where the tier is wide enough.

    Half of the users are hard. `known`: with what the PRM expects of a list, else without.
    """
    rng = np.random.default_rng(seed)
    hard = rng.random(users) < 0.5
    reward = rng.normal(size=(users, WIDTH)).astype(np.float32)
    favoured = np.where(hard, rng.integers(WIDTH // 2, WIDTH, users), rng.integers(0, WIDTH // 2, users))
    reward[np.arange(users), favoured] += 6
    needed = np.where(hard, 3, 1)
    enough = np.arange(len(TIERS)) >= needed[:, None]
    rank = np.where(enough & (rng.random(users) < 1 / 3)[:, None], rng.integers(1, 4, users)[:, None], 0)
    expected = np.where(enough, 0.3, 0.1) if known else np.full((users, len(TIERS)), np.nan)
    log_prob = np.full((users, WIDTH), -np.log(WIDTH), np.float32)
    return Spending(
        bundle="made@1",
        codes="none",
        setting="A",
        cases="validation",
        tiers=TIERS,
        widths={"k20": ((10, 20), (20, 80))},
        target=np.arange(1, users + 1, dtype=np.int32),
        rank=rank.astype(np.int32),
        exact_rank=rank[:, -1].astype(np.int32),
        expected=expected.astype(np.float32),
        log_prob=log_prob,
        reward=reward,
        times=made_times(),
    )


def made_times(requests: int = 5) -> Times:
    """encode 1 ms; auto 3, 4, 6, 12 ms of which 0.5 measure difficulty; a search alone 0.5 ms less than fixed."""
    whole = np.tile(np.array([2.0, 3.0, 5.0, 11.0], np.float32), (requests, 1))
    one = np.ones(requests, np.float32)
    return Times(one, one, whole, np.full_like(whole, 0.5), whole - 1)
