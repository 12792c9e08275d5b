"""Every metric object of the process, in one class on one registry that the runtime injects (design section 7)."""

from collections.abc import Iterable, Mapping

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

STAGES = ("queue", "cache", "encode", "expand", "prune", "items")
REQUEST_EDGES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.0, 5.0)
STAGE_EDGES = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)


class Metrics:
    """Counters and histograms with closed label sets: never an item, user or request id."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.requests = Counter("promise_requests", "Requests answered.", ("bucket", "status"), registry=registry)
        self.duration = Histogram(
            "promise_request_duration_seconds",
            "Time from request line to response, of recommendations served.",
            ("bucket", "tier"),
            buckets=REQUEST_EDGES,
            registry=registry,
        )
        stages = Histogram(
            "promise_stage_duration_seconds",
            "Time one request spent in each stage.",
            ("stage",),
            buckets=STAGE_EDGES,
            registry=registry,
        )
        self.stages = {stage: stages.labels(stage) for stage in STAGES}
        self.cache = Counter("promise_cache_requests", "Encoding look-ups.", ("tier", "result"), registry=registry)
        self.cache_results = {result: self.cache.labels("memory", result) for result in ("hit", "miss")}
        self.tiers = Counter(
            "promise_budget_tier",
            "Tier that served a request, and why.",
            ("bucket", "tier", "reason"),
            registry=registry,
        )
        self.rescued = Counter(
            "promise_prm_rescued",
            "Prefixes the PRM kept that a beam of the same width would have cut.",
            ("level",),
            registry=registry,
        )
        self.degraded = Counter("promise_degraded", "Answers below what was asked.", ("reason",), registry=registry)
        self.shed = Counter("promise_shed", "Requests refused to protect the rest.", ("reason",), registry=registry)
        self.model_info = Gauge(
            "promise_model_info", "1 for the model being served.", ("name", "version"), registry=registry
        )
        self.catalogue_items = Gauge("promise_catalogue_items", "Items that can be recommended.", registry=registry)

    @staticmethod
    def open() -> "Metrics":
        """On a registry of its own, with the memory and CPU figures of the process."""
        disable_created_metrics()  # type: ignore[no-untyped-call]  # they double the number of series and nothing reads them
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        return Metrics(registry)

    def exposition(self) -> tuple[bytes, str]:
        """All figures in Prometheus' text format, and its content type."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST

    def model(self, name: str, version: str, items: int) -> None:
        """Say which model is served."""
        self.model_info.labels(name, version).set(1)
        self.catalogue_items.set(items)

    def request(self, bucket: str, status: int, tier: str | None, seconds: float) -> None:
        """One HTTP request; `tier` is None where nothing was recommended."""
        self.requests.labels(bucket, str(status)).inc()
        if tier is not None:
            self.duration.labels(bucket, tier).observe(seconds)

    def served(self, bucket: str, tier: str, reason: str, cache: str, degraded: str | None) -> None:
        """One recommendation and the decisions behind it."""
        self.tiers.labels(bucket, tier, reason).inc()
        if cache in self.cache_results:
            self.cache_results[cache].inc()
        if degraded is not None:
            self.degraded.labels(degraded).inc()

    def searched(self, seconds: Mapping[str, float], rescued: Iterable[int]) -> None:
        """Seconds per stage, and rescued prefixes per level."""
        for stage, duration in seconds.items():
            self.stages[stage].observe(duration)
        for level, count in enumerate(rescued, 1):
            self.rescued.labels(str(level)).inc(count)

    def refused(self, reason: str) -> None:
        """One request shed."""
        self.shed.labels(reason).inc()
