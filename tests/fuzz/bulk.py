"""How many cases a test tries: a few as part of all tests, its share of --cases in the long form."""

import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

FIND, SHRINK = [Phase.explicit, Phase.generate], [Phase.shrink]


def cases_of(config: pytest.Config, short: int, share: float) -> int:
    """`short`, or with --cases=N this share of them."""
    asked: int | None = config.getoption("--cases", None)
    return short if asked is None else max(short, int(share * asked))


def chosen(config: pytest.Config, short: int, share: float, steps: int = 50) -> settings:
    """So many cases (of a state machine: of so many steps); in the short form the same ones each time.

    In the long form what was found is shown as it came: making it smaller may take longer than finding it.
    """
    is_short = config.getoption("--cases", None) is None
    return settings(
        stateful_step_count=steps,
        max_examples=cases_of(config, short, share),
        derandomize=is_short,
        database=None,
        deadline=None,
        phases=FIND + SHRINK if is_short else FIND,
        suppress_health_check=list(HealthCheck),
    )


class Bulk:
    """Runs a check over many cases. In the long form it says how many (pytest -s shows it)."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def __call__(self, short: int, share: float, cases: st.SearchStrategy[Any], check: Callable[[Any], None]) -> None:
        """Try `short` cases, or this share of all."""
        tried = 0

        def one(case: Any) -> None:
            nonlocal tried
            tried += 1
            check(case)

        chosen(self._config, short, share)(given(cases)(one))()
        if self._config.getoption("--cases", None):
            print(f"{os.environ['PYTEST_CURRENT_TEST']}: {tried:,} cases")  # noqa: T201 - the figures of the long form
