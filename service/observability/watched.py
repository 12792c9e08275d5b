"""Figures that others keep anyway, sampled when Prometheus asks for them."""

from collections.abc import Callable, Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

Read = Callable[[], float]

MEANINGS = {
    "promise_queue_depth": "Requests waiting for the device.",
    "promise_requests_in_flight": "Admitted requests that have no answer yet.",
    "promise_requests_limit": "Requests that may be in flight; the next one is refused.",
    "promise_target_seconds": "Time in the queue and on the device that auto defends by lower tiers.",
    "promise_deadline_seconds": "Deadline of a request that names no shorter one.",
    "promise_device_busy_seconds": "Age of the batch on the device: 0 when idle, +Inf once its thread has died.",
    "promise_device_worked_seconds_total": "Seconds that batches have kept the device.",
    "promise_budget_ceiling_ratio": "How much of auto's walk the load leaves: 0 the cheapest tier only, 1 all of it.",
    "promise_budget_frozen": "1 while an operator has given every auto request one tier.",
    "promise_cache_breaker_state": "Redis: 0 in use, 1 being tried again, 2 left alone after failures.",
    "promise_cache_entries": "Encodings in the memory of this process.",
    "promise_cache_bytes": "Bytes of the encodings in the memory of this process.",
    "promise_cache_writes_total": "Encodings written to Redis.",
    "promise_cache_write_errors_total": "Encodings that Redis did not take.",
    "promise_cache_writes_dropped_total": "Encodings never sent to Redis because too many were waiting.",
    "promise_events_dropped_total": "Exposures and feedback that the event log lost.",
    "promise_experiments_reload_ok": "1 if the experiments in force are those of the file, 0 if the file is bad.",
    "promise_history_users": "Users with a history in the memory of this process.",
    "promise_history_evicted_total": "Histories that left the memory of this process to make room.",
    "promise_keys_reload_ok": "0 while the file of API keys as it stands cannot be used; the old keys stay in force.",
    "promise_draining": "1 while this process takes leave.",
}


class Watched(Collector):
    """One sample without labels for each name; a name that ends in _total is a counter, any other a gauge.

    What is watched belongs to the event loop, a scrape to another thread: so the loop takes the samples.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._reads: dict[str, Read] = {}
        self._samples: tuple[tuple[str, float], ...] = ()
        registry.register(self)

    def add(self, name: str, read: Read) -> None:
        """Sample what `read` returns.

        Raises:
            KeyError: the name has no meaning above.
        """
        MEANINGS[name]
        self._reads[name] = read

    def sample(self) -> None:
        """Read everything; on the event loop."""
        self._samples = tuple((name, float(read())) for name, read in self._reads.items())

    def collect(self) -> Iterable[Metric]:
        """The latest samples; from any thread."""
        for name, value in self._samples:
            family = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
            yield family(name, MEANINGS[name], value=value)

    def describe(self) -> Iterable[Metric]:
        """Nothing: the registry would otherwise collect at once to learn the names."""
        return ()
