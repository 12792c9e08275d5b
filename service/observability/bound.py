"""Children of a metric by their label values: looked up once each, not at every event."""

from typing import Any, TypeVar

from prometheus_client.metrics import MetricWrapperBase

M = TypeVar("M", bound=MetricWrapperBase)


class Bound(dict[tuple[Any, ...], M]):
    """`bound[values]` is `family.labels(*values)`; the label sets must be closed: nothing is forgotten."""

    def __init__(self, family: M) -> None:
        super().__init__()
        self._family = family

    def __missing__(self, values: tuple[Any, ...]) -> M:
        child = self[values] = self._family.labels(*values)
        return child
