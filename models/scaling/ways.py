"""Ways to search whose quality is swept over their widths, in groups that are measured and kept together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from models.scaling import flops
from models.scaling.flops import Sizes, Work

Widths = tuple[tuple[int, int], ...]  # (K', K+) of every level

BEAMS = (10, 20, 50, 100, 200, 400, 800, 1600)
KEEPS = (10, 20, 50, 100, 200)
FACTORS = (1, 2, 4, 6, 8, 16, 32)
CAP = 3200  # K+ at most: beyond, the pool is the catalogue
BASE = (50, 200)  # what single depths are compared at
EXACT, DEFAULT = "exact", "default tier"
CORRECTED = "corrected "  # before the name of a way
PEERS, SOME, ANEW = "peers", "depths", "corrected"  # groups


@dataclass(frozen=True)
class Way:
    """A search by its widths; `depths`: 0-based levels where the PRM prunes, none = plain beam. No levels: the scan.
    `corrected`: the bundle's correction ranks the best leaves anew.
    """

    name: str
    levels: Widths
    depths: tuple[int, ...] = ()
    corrected: bool = False

    def work(self, sizes: Sizes, history: int) -> Work:
        """FLOP of one request over so many items."""
        extra = sizes.correction.work(history) if self.corrected and sizes.correction else 0
        if not self.levels:
            return flops.scan(sizes, history, extra)
        return flops.search(sizes, self.levels, self.depths, history, extra)


Group = Callable[[int, int], list[Way]]  # depth and number of items → ways


def scan() -> Way:
    return Way(EXACT, ())


def beam(depth: int, width: int) -> Way:
    """Plain beam search of this width."""
    return Way(f"beam{width}", ((width, width),) * depth)


def guided(depth: int, k_keep: int, k_plus: int, at: Sequence[int] | None = None) -> Way:
    """The same widths at every depth, the PRM at all of them or at those of `at` (0-based)."""
    depths = tuple(range(depth)) if at is None else tuple(at)
    where = "" if at is None else " at " + "+".join(str(level + 1) for level in at)
    return Way(f"guided {k_keep}/{k_plus}{where}", ((k_keep, k_plus),) * depth, depths)


def tuned(name: str, levels: Widths) -> Way:
    """Widths of its own at every depth, the PRM at all of them."""
    return Way(name, levels, tuple(range(len(levels))))


def plain(depth: int, items: int) -> list[Way]:
    """Plain beams, wider and wider."""
    return [beam(depth, width) for width in BEAMS if width <= items]


def widening(k_keep: int) -> Group:
    """One K', K+ from 1 to 32 times as wide."""

    def ways(depth: int, items: int) -> list[Way]:
        widest = min(CAP, items)
        pluses = sorted({min(k_keep * factor, widest) for factor in FACTORS})
        return [guided(depth, k_keep, k_plus) for k_plus in pluses if k_plus >= k_keep]

    return ways


def some_depths(depth: int) -> list[Way]:
    """The PRM at every set of depths, from none to all, beside the exact scan; widths of BASE."""
    sets = [at for count in range(1, depth) for at in combinations(range(depth), count)]
    parts = [guided(depth, *BASE, at) for at in sets]
    return [beam(depth, BASE[0]), *parts, guided(depth, *BASE), scan()]


def one_depth(level: int) -> Group:
    """K+ of one 0-based level from narrow to wide, that of the others as in BASE."""

    def ways(depth: int, items: int) -> list[Way]:
        base = guided(depth, *BASE)
        widest = min(CAP, items)
        pluses = sorted({min(BASE[0] * factor, widest) for factor in FACTORS})
        return [_changed(base, level, (BASE[0], k_plus)) for k_plus in pluses if k_plus >= BASE[0]]

    return ways


def _changed(base: Way, level: int, pair: tuple[int, int]) -> Way:
    levels = (*base.levels[:level], pair, *base.levels[level + 1 :])
    return replace(base, name=f"level {level + 1} {pair[0]}/{pair[1]}", levels=levels)


def corrected(way: Way) -> Way:
    """The same, its best leaves ranked anew."""
    return replace(way, name=CORRECTED + way.name, corrected=True)


def groups(names: Sequence[str], depth: int, items: int, default: Widths = ()) -> dict[str, list[Way]]:
    """The ways of these groups: beams, k10 … k200, depths, level-1 … level-d, peers (default tier and scan), and
    corrected: those and the widths of BASE with the bundle's correction.
    """
    peers = [*([tuned(DEFAULT, default)] if default else []), scan()]
    anew = [corrected(way) for way in (*peers, guided(depth, *BASE))]
    known: dict[str, Group] = {"beams": plain, SOME: lambda depth, _: some_depths(depth)}
    known |= {PEERS: lambda *_: peers, ANEW: lambda *_: anew}
    known |= {f"k{k_keep}": widening(k_keep) for k_keep in KEEPS}
    known |= {f"level-{level + 1}": one_depth(level) for level in range(depth)}
    return {name: known[name](depth, items) for name in names if name in known}
