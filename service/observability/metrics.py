"""What happened, told to the metric objects; what others keep anyway, read when Prometheus asks."""

from collections.abc import Iterable, Mapping

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from service.observability.bound import Bound
from service.observability.families import Families
from service.observability.watched import Read, Watched


class Metrics:
    """The figures of one process. Calls come from the event loop, a scrape from any thread."""

    def __init__(self, registry: CollectorRegistry, slos_s: Iterable[float] = ()) -> None:
        self.registry = registry
        self._families = families = Families(registry, slos_s)
        self._requests, self._duration = Bound(families.requests), Bound(families.duration)
        self._tiers, self._degraded, self._cache = map(Bound, (families.tiers, families.degraded, families.cache))
        self._candidates, self._rescued = Bound(families.candidates), Bound(families.rescued)
        self._entropy, self._strategies = Bound(families.entropy), Bound(families.strategies)
        self._shed = Bound(families.shed)
        self._watched = Watched(registry)
        self._versions: dict[str, tuple[str, str]] = {}
        self._cache_tiers: tuple[str, ...] = ("memory",)

    @staticmethod
    def open(slos_s: Iterable[float] = ()) -> "Metrics":
        """On a registry of its own, with the memory and CPU figures of the process."""
        disable_created_metrics()  # type: ignore[no-untyped-call]  # they double the number of series and nothing reads them
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        return Metrics(registry, slos_s)

    def exposition(self) -> tuple[bytes, str]:
        """All figures in Prometheus' text format, and its content type."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST

    def watch(self, name: str, read: Read) -> None:
        """Show at every scrape what `read` returns; `name` is one of service.observability.watched.MEANINGS."""
        self._watched.add(name, read)

    def sample(self) -> None:
        """Read what is watched, on the event loop; `exposition` shows what was read last."""
        self._watched.sample()

    def cache_tiers(self, tiers: Iterable[str]) -> None:
        """The tiers of the cache that exist, in the order they are asked."""
        self._cache_tiers = tuple(tiers)

    def model(self, bundle: str, name: str, version: str, items: int) -> None:
        """Say which version a bundle slot serves; the series of the version before it ends."""
        before = self._versions.get(bundle)
        if before is not None and before != (name, version):
            self._families.model_info.remove(bundle, *before)
        self._versions[bundle] = (name, version)
        self._families.model_info.labels(bundle, name, version).set(1)
        self._families.catalogue_items.labels(bundle).set(items)

    def request(self, bucket: str, status: int) -> None:
        """One HTTP request; a batch is one."""
        self._requests[bucket, status].inc()

    def answered(self, bucket: str, tier: str, seconds: float) -> None:
        """One recommendation left after `seconds`; an entry of a batch is one."""
        self._duration[bucket, tier].observe(seconds)

    def served(self, bucket: str, tier: str, reason: str, strategy: str, degraded: str | None) -> None:
        """One recommendation and the decisions behind it."""
        self._tiers[bucket, tier, reason].inc()
        self._strategies[bucket, strategy].inc()
        if degraded is not None:
            self._degraded[(degraded,)].inc()

    def looked_up(self, result: str, tier: str | None) -> None:
        """One look-up of an encoding: `tier` was the last one asked, those before it missed. None: all are off."""
        if tier is None:
            return
        for asked in self._cache_tiers:
            self._cache[asked, result if asked == tier else "miss"].inc()
            if asked == tier:
                return

    def searched(self, seconds: Mapping[str, float]) -> None:
        """Seconds one request spent in each stage."""
        for stage, duration in seconds.items():
            self._families.stages[stage].observe(duration)

    def batch(self, size: int) -> None:
        """One batch left the device; from its thread."""
        self._families.batch_size.observe(size)

    def level(self, level: int, expanded: int, kept: int, rescued: int, entropy: float | None) -> None:
        """One level of one search, 1-based."""
        self._candidates[level, "expanded"].inc(expanded)
        self._candidates[level, "kept"].inc(kept)
        self._rescued[(level,)].inc(rescued)
        if entropy is not None:
            self._entropy[(level,)].observe(entropy)

    def left_out(self, broken: Mapping[str, int]) -> None:
        """Items of one answer that broke a rule, by the rule."""
        for rule, count in broken.items():
            self._families.left_out.labels(rule).inc(count)

    def refused(self, reason: str) -> None:
        """One request shed."""
        self._shed[(reason,)].inc()

    def denied(self, reason: str) -> None:
        """One request refused for who asked: the cause is one of service.observability.families.DENIED."""
        self._families.denied.labels(reason).inc()

    def exposed(self, experiment: str, bucket: str) -> None:
        """A user met a bucket."""
        self._families.exposures.labels(experiment, bucket).inc()

    def feedback(self, bucket: str, event: str) -> None:
        """Feedback was given, for the first time."""
        self._families.feedback.labels(bucket, event).inc()

    def withdraw(self, experiment: str) -> None:
        """The gauges of an experiment that is over."""
        self.publish(experiment, ())

    def publish(self, experiment: str, gauges: Iterable[tuple[str, Mapping[str, str], float]]) -> None:
        """The gauges of an experiment's report; those of its report before are gone."""
        named = {"promise_experiment_lift": self._families.lift, "promise_experiment_srm_p": self._families.srm_p}
        for family in named.values():
            family.remove_by_labels({"experiment": experiment})
        for name, labels, value in gauges:
            named[name].labels(**labels).set(value)
