"""The rows of the outage table: every fault alone, then a chosen matrix of pairs."""

from collections.abc import Mapping

from loadtest.bench.outages.acts import FAULTS, Fault

PAIRS = (
    ("Redis killed", "reload"),
    ("replica killed", "Redis killed"),
    ("replica killed", "Redis paused"),
    ("replica paused", "Redis full"),
    ("Redis killed", "DNS gone"),
    ("Redis disk full", "replica killed"),
    ("log disk full", "Redis killed"),
    ("clock ahead", "reload"),
)

ROWS: Mapping[str, tuple[Fault, ...]] = {
    **{name: (fault,) for name, fault in FAULTS.items()},
    **{f"{one} + {other}": (FAULTS[one], FAULTS[other]) for one, other in PAIRS},
}
