"""The use case: one request from validated ask to answer (design section 1)."""

import time
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from service.budget.ladder import AUTO, Choice, Ladder, Strategy
from service.cache.encodings import CacheResult, EncodingCache
from service.engine.bundle import Catalogue
from service.engine.device import Device, Done, ExpiredError
from service.explain import LevelTrace
from service.items import History, popular, resolve, rows_of
from service.search.guided import Deadline
from service.search.trie import Trie, legal
from service.searcher import Outcome, Scored, Searcher, Task

Source = Literal["search", "exact", "popularity"]


@dataclass(frozen=True)
class Ask:
    """What a caller wants, transport apart. `history` is oldest first."""

    history: tuple[str, ...] = ()
    k: int = 10
    tier: str = AUTO
    strategy: Strategy = "guided"
    exclude: tuple[str, ...] = ()
    exclude_seen: bool = True
    explain: bool = False


@dataclass(frozen=True)
class Answer:
    """Items best first and how they came about; `degraded` names the reason, `seconds` the time in each stage."""

    items: tuple[Scored, ...]
    source: Source
    choice: Choice
    history: History
    cache: CacheResult
    seconds: dict[str, float]
    degraded: str | None = None
    rescued: tuple[int, ...] = ()
    levels: tuple[LevelTrace, ...] | None = None


@dataclass(frozen=True)
class Recommender:
    """Budget, cache, device and search of one model. `history_limit`: the newest items its encoder reads."""

    catalogue: Catalogue
    trie: Trie
    ladder: Ladder
    cache: EncodingCache
    device: Device
    searcher: Searcher
    history_limit: int

    async def recommend(self, ask: Ask, deadline: Deadline) -> Answer:
        """The best k legal items; the popular ones for an unknown history or where the deadline left no time.

        Raises:
            UnknownTierError: the tier is not on this model's ladder.
        """
        choice = self.ladder.choose(ask.tier, ask.k, ask.strategy)
        history = resolve(self.catalogue, ask.history, self.history_limit)
        excluded = frozenset(rows_of(self.catalogue, ask.exclude)) | (history.seen if ask.exclude_seen else set())
        if not len(history.rows):
            return self._popular(ask, history, excluded, "no_history")
        started = time.perf_counter()
        key = self.cache.key(history.rows)
        memory, cached = self.cache.get(key)
        cache_s = time.perf_counter() - started
        allowed = legal(self.trie, list(excluded))
        task = Task(history.rows, memory, allowed, ask.k, choice.plan, ask.explain, deadline)
        try:
            done = await self.device.run(partial(self.searcher.run, task), deadline)
        except ExpiredError:
            late = self._popular(ask, history, excluded, "expired")
            return replace(late, cache=cached, seconds={"cache": cache_s}, degraded="expired")
        if memory is None:
            self.cache.put(key, done.value.memory)
        return _answer(choice, history, cached, done, cache_s)

    def warm_up(self) -> None:
        """Run every tier once on the device thread, so that no request pays for first runs."""
        rows = self.catalogue.by_popularity[: self.history_limit]
        allowed = legal(self.trie)
        for name in self.ladder.names:
            plan = self.ladder.choose(name, 1).plan
            task = Task(rows, None, allowed, 1, plan, False, Deadline())
            self.device.call(partial(self.searcher.run, task))

    def _popular(self, ask: Ask, history: History, excluded: frozenset[int], reason: str) -> Answer:
        rows = popular(self.catalogue, excluded, ask.k)
        items = tuple(Scored(row, float(self.catalogue.popularity[row - 1])) for row in rows)
        return Answer(items, "popularity", Choice.nothing(ask.tier, reason), history, "off", {})


def _answer(choice: Choice, history: History, cached: CacheResult, done: Done[Outcome], cache_s: float) -> Answer:
    found = done.value
    seconds = {"queue": done.queue_s, "cache": cache_s, **found.seconds}
    source: Source = "exact" if choice.plan is None else "search"
    degraded = "deadline" if found.degraded else None
    return Answer(found.items, source, choice, history, cached, seconds, degraded, found.rescued, found.levels)
