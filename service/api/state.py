"""What the routes work with: filled by `create_app`, so that nothing here names a concrete engine, store or metric."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from service.api.admission import Admission
from service.api.assets import Asset
from service.api.desk import Desk
from service.api.forgetting import Forgetting
from service.api.live_keys import LiveKeys
from service.api.pulse import Pulse
from service.api.reports import Reports
from service.bundles import Bundles
from service.experiments.feedback import Feedback
from service.experiments.live import LiveExperiments
from service.experiments.tokens import Tokens
from service.histories.protocol import HistoryStore
from service.recommender import Recommender


class Meter(Protocol):
    """Where figures go; see service.observability.metrics for their meaning."""

    def request(self, bucket: str, status: int) -> None: ...

    def answered(self, bucket: str, tier: str, seconds: float) -> None: ...

    def served(self, bucket: str, tier: str, reason: str, strategy: str, degraded: str | None) -> None: ...

    def looked_up(self, result: str, tier: str | None) -> None: ...

    def searched(self, seconds: Mapping[str, float]) -> None: ...

    def level(self, level: int, expanded: int, kept: int, rescued: int, entropy: float | None) -> None: ...

    def left_out(self, broken: Mapping[str, int]) -> None: ...

    def feedback(self, bucket: str, event: str) -> None: ...

    def denied(self, reason: str) -> None: ...

    def publish(self, experiment: str, gauges: Iterable[tuple[str, Mapping[str, str], float]]) -> None: ...

    def sample(self) -> None:
        """Read what the event loop owns."""
        ...

    def exposition(self) -> tuple[bytes, str]:
        """All figures as text, and its content type; from any thread."""
        ...


class Log(Protocol):
    """Where lines go: an event's name and its fields."""

    def info(self, event: str, **fields: Any) -> Any: ...

    def error(self, event: str, **fields: Any) -> Any: ...


@dataclass(frozen=True, repr=False)  # whoever logs what holds it shall tell neither secrets nor the catalogue
class State:
    """One per application; what is a function is asked anew by every request. `clock`: seconds since the epoch."""

    recommender: Recommender
    bundles: Bundles
    experiments: LiveExperiments
    reports: Reports
    tokens: Tokens
    feedback: Feedback
    forgetting: Forgetting
    histories: HistoryStore
    admission: Admission
    meter: Meter
    log: Log
    queue_depth: Callable[[], int]
    on_device: Callable[[], int]
    device_busy_s: Callable[[], float]
    is_draining: Callable[[], bool]
    drain: Callable[[], None]
    providers: tuple[str, ...]
    clock: Callable[[], float]
    ab_header: str
    timeout_ms: float
    default_tier: str
    admin_token: str | None
    keys: LiveKeys | None
    pulse: Pulse
    bundle_parents: tuple[Path, ...]
    assets: Mapping[str, Asset]
    desk: Desk
