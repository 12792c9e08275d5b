"""The composition root: opens everything in order, closes it in reverse."""

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field
from typing import Any, cast

from service import stores
from service.budget.ladder import common
from service.bundles import Bundles
from service.cache.encodings import EncodingCache
from service.cache.remote import Remote
from service.engine.batcher import Batcher
from service.engine.pace import Pace
from service.engine.ticket import Ticket
from service.experiments.acting import Acting
from service.experiments.config import Experiments
from service.experiments.events import EventLog
from service.experiments.exposures import Exposures
from service.experiments.feedback import Feedback
from service.experiments.live import LiveExperiments
from service.experiments.tokens import Tokens
from service.histories.memory import MemoryHistories
from service.histories.protocol import HistoryStore
from service.loading import Loader, Model
from service.observability.logging import Logger, open_logger
from service.observability.metrics import Metrics
from service.recommender import Recommender
from service.searcher import Searcher
from service.served import Served
from service.settings import Settings
from service.tasks import Outcome, Task
from service.warmup import warm_up

DAY_S = 86_400
BREAKER_STATES = ("closed", "half-open", "open")  # as promise_cache_breaker_state numbers them
CONNECTIONS = 8  # opened at start
BATCH_SHARE = 0.5  # of the target latency that one batch may take: the next one waits for it
NO_SECRET = "Without PROMISE_FEEDBACK_SECRET a restart ends all tokens, and users count as new ones in reports."  # noqa: S105 - a sentence


@dataclass
class Lifecycle:
    """Draining: still serving, but no longer ready for new traffic."""

    draining: bool = False


@dataclass(frozen=True)
class Runtime:
    """Everything the application needs, open. `start` and `close` belong to the serving event loop."""

    settings: Settings
    bundles: Bundles
    recommender: Recommender
    cache: EncodingCache
    histories: HistoryStore
    remote: Remote | None
    batcher: Batcher[Task, Outcome]
    experiments: LiveExperiments
    events: EventLog
    exposures: Exposures
    feedback: Feedback
    tokens: Tokens
    metrics: Metrics
    logger: Logger
    lifecycle: Lifecycle = field(default_factory=Lifecycle)
    _published: set[str] = field(default_factory=set)
    _background: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def start(self) -> None:
        """Begin what runs beside requests: writes to Redis, the event log, the look at the experiments file."""
        if self.remote is not None:
            self._background.push_async_callback(self.remote.close)
            await _connect(self.remote)
        if self.experiments.current.experiments and self.settings.feedback_secret is None:
            self.logger.warning("no-feedback-secret", detail=NO_SECRET)
        self.events.start()
        self._background.push_async_callback(self.events.close)
        self.cache.start()
        self._background.push_async_callback(self.cache.close)
        watching = asyncio.ensure_future(
            self.experiments.watch(self.settings.reload_s, self._experiments_changed, self._experiments_refused)
        )
        self._published.update(one.name for one in self.experiments.current.experiments)
        watching.add_done_callback(lambda task: told(task, self.logger))
        self._background.push_async_callback(_end, watching)

    async def close(self) -> None:
        """Close what was opened, last first."""
        await self._background.aclose()
        await asyncio.to_thread(self.batcher.close)

    def _experiments_changed(self, experiments: Experiments) -> None:
        names = {one.name for one in experiments.experiments}
        for gone in self._published - names:
            self.metrics.withdraw(gone)
        self._published.clear()
        self._published.update(names)
        self.logger.info("experiments", names=[one.name for one in experiments.experiments], digest=experiments.digest)

    def _experiments_refused(self, why: str) -> None:
        self.logger.error("bad-experiments", detail=why)


def open_runtime(
    settings: Settings, models: Mapping[str, Model] | None = None, logger: Logger | None = None
) -> Runtime:
    """Open what serving takes and warm it up; without a `logger`, lines go to standard output.

    `models` by slot take the place of the bundle folders in the settings.

    Raises:
        StartError: the settings, the bundles, the device or the experiments do not allow a start.
    """
    logger = logger or open_logger(settings.log_format, sys.stdout)
    with ExitStack() as opened:
        metrics = Metrics.open(slos_s=(settings.target_ms / 1000, settings.request_timeout_ms / 1000))
        remote = stores.remote(settings)
        cache = stores.cache(settings, remote)
        loader = Loader(settings, cache)
        batcher: Batcher[Task, Outcome] = Batcher(_run, _pace(settings), metrics.batch)
        opened.callback(batcher.close)
        slots = _slots(settings, loader, models)
        for served in slots.values():
            warm_up(served, batcher.call)
        bundles = Bundles(slots, loader.open, loader.revise, lambda new: asyncio.to_thread(warm_up, new, batcher.call))
        experiments = LiveExperiments(settings.experiments, lambda found: _check(found, bundles))
        events = stores.events(settings, remote, lambda why: logger.error("event-log", detail=why))
        tokens = Tokens(stores.secret(settings), settings.feedback_days * DAY_S)
        exposures = Exposures(events)
        acting = Acting(lambda: experiments.current, exposures, tokens.unit, metrics.exposed)
        histories = stores.histories(settings, remote)
        runtime = Runtime(
            settings=settings,
            bundles=bundles,
            recommender=Recommender(bundles, histories, cache, batcher, acting),
            cache=cache,
            histories=histories,
            remote=remote,
            batcher=batcher,
            experiments=experiments,
            events=events,
            exposures=exposures,
            feedback=Feedback(events, remote, settings.feedback_days * DAY_S),
            tokens=tokens,
            metrics=metrics,
            logger=logger,
        )
        _watch(runtime)
        opened.pop_all()
        return runtime


def _watch(runtime: Runtime) -> None:
    """What metrics show of parts that do not know of metrics."""
    metrics, bundles, cache = runtime.metrics, runtime.bundles, runtime.cache

    def serving(slot: str, served: Served) -> None:
        metrics.model(slot, served.name, served.version, len(served.catalogue.by_popularity))

    bundles.on_change = serving
    for name in bundles.names:
        serving(name, bundles.get(name))
    metrics.cache_tiers(stores.cache_tiers(runtime.settings))
    remote, live, settings = runtime.remote, runtime.experiments, runtime.settings
    reads: dict[str, Callable[[], float]] = {
        "promise_queue_depth": lambda: runtime.batcher.depth,
        "promise_requests_limit": lambda: settings.max_concurrent,
        "promise_target_seconds": lambda: settings.target_ms / 1000,
        "promise_deadline_seconds": lambda: settings.request_timeout_ms / 1000,
        "promise_device_busy_seconds": runtime.batcher.busy_s,
        "promise_device_worked_seconds_total": lambda: runtime.batcher.worked_s,
        "promise_budget_ceiling_ratio": lambda: min(_ceiling(bundles.get(name)) for name in bundles.names),
        "promise_budget_frozen": lambda: any(bundles.get(name).controller.frozen for name in bundles.names),
        "promise_cache_entries": lambda: cache.entries,
        "promise_cache_bytes": lambda: cache.used_bytes,
        "promise_events_dropped_total": lambda: runtime.events.dropped,
        "promise_experiments_reload_ok": lambda: live.last_error is None,
        "promise_draining": lambda: runtime.lifecycle.draining,
    }
    if remote is not None:
        reads |= {
            "promise_cache_breaker_state": lambda: BREAKER_STATES.index(remote.breaker_state),
            "promise_cache_writes_total": lambda: cache.writes,
            "promise_cache_write_errors_total": lambda: cache.write_errors,
            "promise_cache_writes_dropped_total": lambda: cache.dropped,
        }
    if isinstance(histories := runtime.histories, MemoryHistories):
        reads |= {
            "promise_history_users": lambda: len(histories),
            "promise_history_evicted_total": lambda: histories.evicted,
        }
    for name, read in reads.items():
        metrics.watch(name, read)


def _ceiling(served: Served) -> float:
    walk = served.ladder.walk
    return walk.index(served.controller.ceiling) / (len(walk) - 1) if len(walk) > 1 else 1.0


def _run(tickets: Sequence[Ticket[Task, Outcome]], backlog: int) -> None:
    """A batch of one lane: the lane is the searcher."""
    cast(Searcher, tickets[0].lane).run(tickets, backlog)


def _pace(settings: Settings) -> Pace:
    return Pace(settings.max_batch, settings.batch_wait_ms / 1000, BATCH_SHARE * settings.target_ms / 1000)


def _slots(settings: Settings, loader: Loader, models: Mapping[str, Model] | None) -> dict[str, Served]:
    if models is not None:
        return {slot: loader.serve(slot, model) for slot, model in models.items()}
    return loader.open_all(settings.bundle)


def _check(experiments: Experiments, bundles: Bundles) -> None:
    """Every override names what every bundle offers."""
    ladders = [bundles.get(name).ladder for name in bundles.names]
    tiers, strategies = common([ladder.names for ladder in ladders]), common([ladder.strategies for ladder in ladders])
    experiments.check(tiers, bundles.names, strategies)


async def _connect(remote: Remote) -> None:
    """Open connections before the first requests need them all at once; Redis may just as well be absent."""
    looks = (remote.execute("GET", "promise:probe") for _ in range(CONNECTIONS))
    await asyncio.gather(*looks, return_exceptions=True)


def told(task: "asyncio.Future[Any]", logger: Logger) -> None:
    """What runs beside requests must not end unnoticed; being cancelled, or gathering what was, is no error."""
    error = None if task.cancelled() else task.exception()
    if error is not None and not isinstance(error, asyncio.CancelledError):
        logger.error("background-task", exc_info=error)


async def _end(task: "asyncio.Future[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
