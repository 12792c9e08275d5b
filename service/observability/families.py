"""Every metric object of the process, on one registry that the runtime injects (design section 7).

Label sets are closed: configured names, tiers, levels and statuses; never an item, a user or a request id.
"""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

SHED = ("concurrency", "connections", "loop", "queue")
DENIED = ("no_key", "unknown_key", "quota", "override", "admin")
DEGRADED = ("deadline", "expired", "history_unavailable")
RULES = ("valid_path", "in_stock", "allowed", "distinct", "finite_score")
STAGES = ("queue", "cache", "encode", "expand", "prune", "items")
REQUEST_EDGES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.0, 5.0)
STAGE_EDGES = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
BATCH_EDGES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
ENTROPY_EDGES = (0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 5.5, 6, 7, 8)  # nats; ln 4000 is 8.3


class Families:
    """`slos_s`: durations that an objective names. The duration histogram gets an edge on each: without one, a query
    for the share of requests within the objective finds nothing.
    """

    def __init__(self, registry: CollectorRegistry, slos_s: Iterable[float] = ()) -> None:
        self._registry = registry
        counter, gauge, histogram = self._counter, self._gauge, self._histogram
        edges = sorted({*REQUEST_EDGES, *slos_s})
        self.requests = counter("requests", "HTTP requests answered.", "bucket", "status")
        self.duration = histogram(
            "request_duration_seconds", "From arrival to answer, of recommendations.", edges, "bucket", "tier"
        )
        self.tiers = counter("budget_tier", "Tier of a recommendation, and why.", "bucket", "tier", "reason")
        self.strategies = counter("strategy", "Recommendations by the search that ran.", "bucket", "strategy")
        self.degraded = _from_zero(counter("degraded", "Answers below what was asked.", "reason"), DEGRADED)
        left_out = counter("verification_failures", "Items that broke a rule and were left out.", "rule")
        self.left_out = _from_zero(left_out, RULES)
        self.shed = _from_zero(counter("shed", "Requests refused to protect the rest.", "reason"), SHED)
        denied = counter("denied", "Requests refused for who asked, by cause.", "reason")
        self.denied = _from_zero(denied, DENIED)
        stages = histogram("stage_duration_seconds", "Time a request spent in each stage.", STAGE_EDGES, "stage")
        self.stages = {stage: stages.labels(stage) for stage in STAGES}
        self.batch_size = histogram("batch_size", "Requests in a batch.", BATCH_EDGES)
        self.cache = counter("cache_requests", "Look-ups of encodings.", "tier", "result")
        self.candidates = counter("beam_candidates", "Prefixes expanded, and kept of them.", "level", "kind")
        self.rescued = counter("prm_rescued", "Prefixes the PRM kept that a beam would have cut.", "level")
        self.entropy = histogram("level_entropy", "Nats of the softmax of a level's rewards.", ENTROPY_EDGES, "level")
        self.model_info = gauge("model_info", "1 for the version that a bundle serves.", "bundle", "name", "version")
        self.catalogue_items = gauge("catalogue_items", "Items that a bundle can recommend.", "bundle")
        self.exposures = counter("exposures", "Users who met a bucket, each once a day.", "experiment", "bucket")
        self.lift = gauge(
            "experiment_lift",
            "Lift over the control, from the report: its value and the ends of its always-valid interval.",
            "experiment",
            "bucket",
            "event",
            "scale",
            "bound",
        )
        self.srm_p = gauge("experiment_srm_p", "How likely such a split is by chance, from the report.", "experiment")
        self.feedback = counter("feedback", "Feedback counted.", "bucket", "event")

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"promise_{name}", meaning, labels, registry=self._registry)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(f"promise_{name}", meaning, labels, registry=self._registry)

    def _histogram(self, name: str, meaning: str, edges: Iterable[float], *labels: str) -> Histogram:
        return Histogram(f"promise_{name}", meaning, labels, buckets=tuple(edges), registry=self._registry)


def _from_zero(family: Counter, values: Iterable[str]) -> Counter:
    """Series that exist before their first event: Prometheus counts no increase up to a series' first sample."""
    for value in values:
        family.labels(value)
    return family
