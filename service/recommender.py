"""The use case: one request from validated ask to answer (design section 1)."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from service.budget.ladder import AUTO, EXACT, Choice
from service.bundles import Bundles
from service.cache.encodings import CacheResult, CacheTier, EncodingCache, Looked
from service.engine.batcher import Batcher
from service.engine.protocol import F16, Bool
from service.engine.ticket import ClosedError, Done, ExpiredError
from service.errors import StoreUnavailableError, UnavailableError
from service.experiments.assignment import Assignments
from service.experiments.config import Overrides
from service.explain import LevelTrace
from service.filters import Filter, allowed_rows
from service.histories.protocol import HistoryStore
from service.items import History, popular, read_of, resolve, rows_of
from service.search.guided import Deadline
from service.search.legality import banned
from service.search.plan import Rule
from service.search.spent import LevelSpent
from service.search.strategies.shelf import GUIDED
from service.search.verification import RuleCheck
from service.served import Served
from service.tasks import Outcome, Scored, Task

Source = Literal["search", "exact", "popularity"]


@dataclass(frozen=True)
class Ask:
    """What a caller wants, transport apart. `history` is oldest first; None: the stored one of `user_id`.

    `budget` is `auto` or a tier; `budget_given`: by the caller, whose choice no experiment changes. `strategy` None
    leaves it to the experiment's bucket.
    """

    history: tuple[str, ...] | None = None
    user_id: str | None = None
    k: int = 10
    budget: str = AUTO
    budget_given: bool = False
    strategy: str | None = None
    exclude: tuple[str, ...] = ()
    exclude_seen: bool = True
    filter: Filter | None = None
    explain: bool = False


@dataclass(frozen=True)
class Answer:
    """Items best first and how they came about; `degraded` names the reason, `seconds` the time in each stage."""

    items: tuple[Scored, ...]
    source: Source
    choice: Choice
    history: History
    served: Served
    cache: CacheResult = "off"
    cache_tier: CacheTier | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    degraded: str | None = None
    spent: tuple[LevelSpent, ...] = ()
    batch: int = 0
    levels: tuple[LevelTrace, ...] | None = None
    broken: Mapping[str, int] = field(default_factory=dict)
    checks: tuple[RuleCheck, ...] | None = None


class Exposer(Protocol):
    """Where exposures go. `closed`: settings that the caller chose, so that no bucket could."""

    def expose(
        self,
        assignments: Assignments,
        closed: frozenset[str],
        user_id: str,
        request_id: str,
        tier: str,
        reason: str,
        degraded: bool,
    ) -> None: ...


@dataclass(frozen=True)
class _Terms:
    """What was settled before the search; `choice` None: the budget decides after level 1, within the bounds."""

    requested: str
    choice: Choice | None
    strategy: str
    rule: Rule | None
    lowest: str | None
    highest: str | None


@dataclass(frozen=True)
class _Case:
    """A request that has been looked up: everything the search and its fallback need."""

    ask: Ask
    terms: _Terms
    served: Served
    history: History
    excluded: frozenset[int]
    wanted: Bool | None

    def popular(self, reason: str, degraded: str | None = None) -> Answer:
        """The popular items that are wanted and not excluded, where no search can run."""
        catalogue, ask = self.served.catalogue, self.ask
        rows = popular(catalogue, self.excluded, ask.k, self.wanted)
        items = tuple(Scored(row, float(catalogue.popularity[row - 1])) for row in rows)
        choice = Choice.nothing(self.terms.requested, reason)
        return Answer(items, "popularity", choice, self.history, self.served, degraded=degraded)

    def task(self, key: bytes, memory: F16 | None, deadline: Deadline) -> Task:
        """The work for the device thread."""
        ask, terms = self.ask, self.terms
        return Task(
            rows=self.history.rows,
            key=key,
            memory=memory,
            banned=banned(self.served.trie, self.excluded, self.wanted),
            k=ask.k,
            choice=terms.choice,
            strategy=terms.strategy,
            rule=terms.rule,
            lowest=terms.lowest,
            highest=terms.highest,
            explain=ask.explain,
            deadline=deadline,
        )

    def answer(self, looked: Looked, done: Done[Outcome], cache_s: float) -> Answer:
        """What the search found."""
        found = done.value
        return Answer(
            items=found.items,
            source="exact" if found.choice.plan is None else "search",
            choice=found.choice,
            history=self.history,
            served=self.served,
            cache=looked.result,
            cache_tier=looked.tier,
            seconds={"queue": done.queue_s, "cache": cache_s, **found.seconds},
            degraded="deadline" if found.degraded else None,
            spent=found.spent,
            batch=found.batch,
            levels=found.levels,
            broken=found.broken,
            checks=found.checks,
        )


@dataclass(frozen=True)
class Recommender:
    """Bundles, stored histories, cache, device, and where exposures go."""

    bundles: Bundles
    histories: HistoryStore
    cache: EncodingCache
    batcher: Batcher[Task, Outcome]
    exposer: Exposer

    async def recommend(self, ask: Ask, assignments: Assignments, deadline: Deadline, request_id: str) -> Answer:
        """The best k legal items; the popular ones for an unknown history or where the deadline left no time.

        Raises:
            UnknownTierError, UnknownStrategyError: this bundle offers no such thing.
            UnknownFilterError: the catalogue has no such category or brand.
            UnavailableError: the process is ending.
        """
        served = self.bundles.get(assignments.overrides.bundle)
        terms = self._terms(ask, assignments.overrides, served)
        wanted = allowed_rows(served.catalogue, ask.filter) if ask.filter else None
        ids, stored, lost = await self._history(ask)
        history = replace(resolve(served.catalogue, ids, served.history_limit, served.history_block), stored=stored)
        excluded = frozenset(rows_of(served.catalogue, ask.exclude)) | (history.seen if ask.exclude_seen else set())
        case = _Case(ask, terms, served, history, excluded, wanted)
        if not len(history.rows):
            return case.popular("no_history", lost)
        answer = await self._search(case, deadline)
        self._expose(ask, assignments, answer, request_id)
        return answer

    async def _search(self, case: _Case, deadline: Deadline) -> Answer:
        served, started = case.served, time.perf_counter()
        key = self.cache.key(served.encoder, *read_of(served.catalogue, case.history))
        looked = await self.cache.get(key, served.encoder)
        cache_s = time.perf_counter() - started
        try:
            done = await self.batcher.submit(case.task(key, looked.memory, deadline), served.searcher, deadline)
        except ClosedError:
            raise UnavailableError("This process is ending; another one will answer.", 1) from None
        except ExpiredError:
            late = case.popular("expired", "expired")
            return replace(late, cache=looked.result, cache_tier=looked.tier, seconds={"cache": cache_s})
        if done.value.memory is not None:
            self.cache.share(key, done.value.memory, served.encoder)
        return case.answer(looked, done, cache_s)

    @staticmethod
    def _terms(ask: Ask, overrides: Overrides, served: Served) -> _Terms:
        """The caller's own budget and strategy come first, then the bucket's, then the service's."""
        scans = ask.budget_given and ask.budget == EXACT  # the caller's scan is no beam
        own = overrides.strategy if not scans and overrides.strategy in served.ladder.strategies else None
        asked = ask.strategy or own
        served.ladder.check_strategy(asked or GUIDED)
        tier, reason = ask.budget, "requested" if ask.budget_given else "default"
        if not ask.budget_given and overrides.tier in (AUTO, *served.ladder.names):  # a reload may have taken it away
            tier, reason = overrides.tier, "bucket"
        impossible = EXACT if asked not in (None, GUIDED) else None  # no search: what nobody asked for gives way
        if tier == impossible and not ask.budget_given:
            tier = AUTO
        requested, frozen = tier, served.controller.frozen
        if tier == AUTO and frozen not in (None, impossible):
            tier, reason = frozen, "frozen"
        strategy = asked or (GUIDED if tier == EXACT else served.ladder.strategy)
        rule = Rule(*overrides.rule) if overrides.rule is not None else None
        choice = None if tier == AUTO else served.ladder.choice(requested, tier, reason, ask.k, strategy, rule)
        bounds = (None, None) if ask.budget_given else (overrides.lowest, overrides.highest)
        return _Terms(requested, choice, strategy, rule, *bounds)

    async def _history(self, ask: Ask) -> tuple[tuple[str, ...], bool, str | None]:
        """The history, whether it is the stored one, and why it is missing if the store failed."""
        if ask.history is not None or ask.user_id is None:
            return ask.history or (), False, None
        try:
            return await self.histories.read(ask.user_id), True, None
        except StoreUnavailableError:
            return (), False, "history_unavailable"

    def _expose(self, ask: Ask, assignments: Assignments, answer: Answer, request_id: str) -> None:
        """Experiments acted, unless the caller decided everything that they could have changed."""
        if not assignments.all or ask.user_id is None:
            return
        given = {"budget": ask.budget_given, "strategy": ask.strategy is not None}
        choice, closed = answer.choice, frozenset(name for name, by_caller in given.items() if by_caller)
        degraded = answer.degraded is not None
        self.exposer.expose(assignments, closed, ask.user_id, request_id, choice.tier, choice.reason, degraded)
