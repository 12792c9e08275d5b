"""What the routes work with: filled by `create_app`, so that nothing here names a concrete engine or metric."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from service.api.admission import Admission
from service.api.schemas import ModelName
from service.recommender import Recommender


class Meter(Protocol):
    """Where figures go; see service.observability.metrics for their meaning."""

    def request(self, bucket: str, status: int, tier: str | None, seconds: float) -> None: ...

    def served(self, bucket: str, tier: str, reason: str, cache: str, degraded: str | None) -> None: ...

    def searched(self, seconds: Mapping[str, float], rescued: Iterable[int]) -> None: ...

    def refused(self, reason: str) -> None: ...

    def exposition(self) -> tuple[bytes, str]:
        """All figures as text, and its content type."""
        ...


class Log(Protocol):
    """Where lines go: an event's name and its fields."""

    def info(self, event: str, **fields: Any) -> Any: ...

    def error(self, event: str, **fields: Any) -> Any: ...


@dataclass(frozen=True)
class State:
    """One per application; `is_draining` and `device_busy_s` are asked anew by every probe."""

    recommender: Recommender
    model: ModelName
    providers: tuple[str, ...]
    admission: Admission
    meter: Meter
    log: Log
    is_draining: Callable[[], bool]
    device_busy_s: Callable[[], float]
    ab_header: str
    timeout_ms: float
