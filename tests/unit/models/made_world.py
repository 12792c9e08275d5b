"""A small catalogue with users over it, and the ways to rank them, for the tests of evaluation."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.evaluation import Method, evaluate_engine
from models.results import Result
from service.engine.fake import FakeEngine
from service.engine.protocol import F16, Context
from service.search.plan import Plan, Rule
from service.search.trie import Trie, banned, build

I32 = NDArray[np.int32]
ITEMS, DEPTH, CODES, USERS, LIMIT = 70, 3, 6, 40, 5


class CodesEngine(FakeEngine):
    """The deterministic engine without item rows, so that nothing depends on how items are numbered."""

    def encode(self, codes: I32, items: I32, lengths: I32) -> F16:
        return super().encode(codes, np.zeros_like(items), lengths)


@dataclass(frozen=True)
class World:
    sids: I32
    trie: Trie
    histories: list[I32]
    targets: I32

    @property
    def engine(self) -> FakeEngine:
        return CodesEngine(self.trie)

    def evaluate(self, *methods: Method, batch: int = 16, timed: int = 0) -> list[Result]:
        data = (self.trie, self.sids, self.histories, self.targets)
        return evaluate_engine(self.engine, *data, methods, batch=batch, history_limit=LIMIT, timed=timed)


def made_world() -> World:
    rng = np.random.default_rng(3)
    paths = rng.permutation(CODES**DEPTH)[:ITEMS]
    sids = np.stack(np.unravel_index(paths, (CODES,) * DEPTH), 1).astype(np.int32)
    users = [rng.permutation(ITEMS)[: rng.integers(2, 12)].astype(np.int32) + 1 for _ in range(USERS)]
    return World(sids, build(sids), [user[:-1] for user in users], np.array([user[-1] for user in users], np.int32))


def guided(k_keep: int, k_plus: int, weight: float = 0.0) -> Method:
    return Method(f"guided {k_keep}/{k_plus}", Plan.uniform(DEPTH, k_keep, k_plus, rule=Rule(weight, weight)))


def plain(k: int) -> Method:
    return Method(f"beam{k}", Plan.uniform(DEPTH, k, k, use_prm=False))


def context_of(world: World, user: int) -> Context:
    newest = world.histories[user][-LIMIT:]
    lengths = np.array([len(newest)], np.int32)
    memory = world.engine.encode(world.sids[newest - 1][None], newest[None], lengths)
    return world.engine.context(memory, lengths, [banned(world.trie, world.histories[user])])
