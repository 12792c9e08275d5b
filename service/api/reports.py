"""Reports of experiments, kept up with the event log: each event is read once."""

import asyncio
from collections.abc import Callable, Collection

from service.errors import StoreUnavailableError
from service.experiments.analysis import Tally
from service.experiments.config import Experiment, Experiments
from service.experiments.events import READ, START, EventLog
from service.experiments.report import Report, gauges

Publish = Callable[[str, list[tuple[str, dict[str, str], float]]], None]

PIECES = 2000  # of the log that one report reads at most
PAUSE_S = 0.05  # between two pieces of the log when nobody waits for the report: requests come first


class Reports:
    """Adds the log's events up off the event loop. `publish` gets the gauges of every report that was made.

    With a log of this process only (memory, a file of its own) a report covers what this process wrote.
    """

    def __init__(self, log: EventLog, publish: Publish, tally: Tally | None = None) -> None:
        self._log, self._publish = log, publish
        self._tally = tally or Tally()
        self._cursor = START
        self._lock = asyncio.Lock()

    async def report(self, experiment: Experiment) -> Report:
        """What all events so far say about the experiment.

        Raises:
            StoreUnavailableError: the log is in Redis, which does not answer.
        """
        return await self._made(experiment, 0)

    async def forget(self, units: Collection[str]) -> None:
        """Once the log holds nothing of them: the units leave the sums too."""
        async with self._lock:
            await asyncio.to_thread(self._tally.forget, units)

    async def watch(self, experiments: Callable[[], Experiments], every_s: float) -> None:
        """Until cancelled: publish the gauges of every experiment in force anew, every so often."""
        while True:
            for experiment in experiments().experiments:
                try:
                    await self._made(experiment, PAUSE_S)
                except StoreUnavailableError:
                    break  # the gauges stay as they are
            await asyncio.sleep(every_s)

    async def _made(self, experiment: Experiment, pause_s: float) -> Report:
        await self._catch_up(pause_s)
        async with self._lock:
            report = await asyncio.to_thread(self._tally.report, experiment)
        self._publish(experiment.name, gauges(report))
        return report

    async def _catch_up(self, pause_s: float) -> None:
        """Up to about now: the log grows while it is read, and what comes later waits for the next report."""
        for _ in range(PIECES):
            if not await self._read():
                break
            await asyncio.sleep(pause_s)

    async def _read(self) -> bool:
        """Add the next piece of the log; whether there is likely to be more."""
        async with self._lock:
            events, cursor = await self._log.read(self._cursor)
            if cursor == self._cursor:
                return False
            await asyncio.to_thread(self._add, events)
            self._cursor = cursor
        return len(events) >= READ // 2

    def _add(self, events: list[dict[str, object]]) -> None:
        for event in events:
            self._tally.add(event)
