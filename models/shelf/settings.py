"""What is measured: every strategy of the shelf at several settings, and what was expected of it beforehand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from models.results import ResultsError
from models.walk import TUNED

Widths = tuple[tuple[int, int], ...]  # (K', K+) of every level

GUIDED, DEFAULT = "guided", "k50"
EVEN = ("10/20", "10/40", "20/80", "50/200", "100/400")
TIERS = ("k10", "k20", "k50", "k100", "k200")
LEVELS = 3  # of the trees that TUNED is for
# Narrow beams over the pools of k50: where the PRM is an inner product, FLOP are in beams and hardly in pools.
NARROW: Mapping[str, Widths] = MappingProxyType(
    {f"n{width}": ((width, 800), (width, 800), (width, 200)) for width in (10, 12, 15, 20, 30)}
)


@dataclass(frozen=True)
class Setting:
    """A strategy with its parameters over the widths of a tier."""

    strategy: str
    base: str
    levels: Widths
    numbers: tuple[tuple[str, float], ...] = ()

    @property
    def name(self) -> str:
        """As "relaxed k20 slope=0.5"."""
        return " ".join([self.strategy, self.base, *(f"{name}={value:g}" for name, value in self.numbers)])


@dataclass(frozen=True)
class Family:
    """All settings of one strategy; `expected`: written before its first run, of N@10 at equal FLOP."""

    strategy: str
    expected: str
    settings: tuple[Setting, ...]
    votes: bool = False


def families(depth: int) -> list[Family]:
    """Guided search, the control, and every other strategy; widths tuned by depth only for trees they fit."""
    known = widths(depth)
    return [_family(row, known) for row in _ROWS]


def widths(depth: int) -> dict[str, Widths]:
    """By name: as wide at every depth, and tuned by depth."""
    even = {name: (_pair(name),) * depth for name in EVEN}
    return even | ({name: TUNED[name] for name in TIERS} | dict(NARROW) if depth == LEVELS else {})


def chosen(found: Sequence[Family], names: Sequence[str]) -> list[Family]:
    """Those of these names, and the control; all where none is named.

    Raises:
        ResultsError: there is no such strategy.
    """
    known = [family.strategy for family in found]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ResultsError(f"no strategy is called '{unknown[0]}': {', '.join(known)}")
    return [family for family in found if not names or family.strategy in (GUIDED, *names)]


def _pair(name: str) -> tuple[int, int]:
    keep, plus = name.split("/")
    return int(keep), int(plus)


@dataclass(frozen=True)
class _Row:
    """A family by the names of its widths, as the shelf has it; `varied`: widths, and a parameter changed."""

    strategy: str
    expected: str
    bases: tuple[str, ...]
    varied: tuple[tuple[str, str, float], ...] = ()
    votes: bool = False


def _family(row: _Row, known: Mapping[str, Widths]) -> Family:
    plain = [Setting(row.strategy, base, known[base]) for base in row.bases if base in known]
    more = [
        Setting(row.strategy, base, known[base], ((name, value),)) for base, name, value in row.varied if base in known
    ]
    return Family(row.strategy, row.expected, (*plain, *more), row.votes)


_ROWS = (
    _Row(GUIDED, "the control: rises to k50 or k100, level beyond", (*EVEN, *TIERS, *NARROW)),
    _Row("beam", "−.03 at any compute: the generator alone ranks badly", EVEN[1:]),
    _Row("best_of_n", "−.005: its beams are as many as its leaves, and they are what costs", EVEN[:-1]),
    _Row("final_scorer", "−.004: level 1 decides most, but level 2 is lost by probability", (*EVEN[2:], "k20", "k50")),
    _Row(
        "smc",
        "−.003: copies go where the generator is sure, as a beam's do",
        ("20/80", "k20", "k50", "k100", "k200"),
        (("k50", "temperature", 0.5), ("k50", "temperature", 2), ("k100", "temperature", 2)),
    ),
    _Row(
        "relaxed",
        "±.0005: the same as a guided search of its mean width",
        ("20/80", "k10", "k20", "n10", "n20"),
        (("k20", "slope", 0.3), ("k20", "most", 4)),
    ),
    _Row(
        "optimistic",
        "β .5 and 1 within .0005, 2 below: the deviation is largest where the mean is poor",
        ("20/80", "k20"),
        (("k20", "beta", 0.5), ("k20", "beta", 2)),
        votes=True,
    ),
    _Row(
        "consistent",
        "−.002, more at smaller shares: the PRM earns its keep where the two disagree",
        ("20/80", "k20"),
        (("k20", "share", 0.25), ("k20", "share", 0.75)),
    ),
    _Row(
        "interest",
        "+.0005 at a weight of .25: further targets, but the correction sees most of it already",
        ("20/80", "k20"),
        (("k20", "weight", 0.1), ("k20", "weight", 0.25)),
        votes=True,
    ),
    _Row(
        "refine",
        "±.0005: what a second look finds, as many more beams find too",
        ("20/80", "k10", "k20", "k50", "n10", "n20"),
        (("k20", "rounds", 2), ("k20", "rounds", 3), ("n20", "rounds", 3)),
    ),
    _Row(
        "backtrack",
        "−.003: a dive of ten prefixes sees too little, and steps back cost more than width",
        ("50/200", "k50", "k100", "k200"),
        (("k50", "passes", 16), ("k50", "width", 8), ("k100", "width", 8)),
    ),
    _Row(
        "routed",
        "+.0005 between k20 and k50: the dear plan goes to those whose lists it changes, as auto's does",
        ("50/200", "k50", "k100", "k200"),
        (("k50", "threshold", 0.25), ("k50", "threshold", 0.75), ("k100", "threshold", 0.75)),
    ),
)
