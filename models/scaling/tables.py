"""Tables of the study: sizes, widths, depths, claims; cells for terminals and markdown."""

from collections.abc import Sequence

from models.report import interval, share
from models.results import Result, compare
from models.scaling.claims import Bigger, Ratio, Wider, depths, served
from models.scaling.flops import parameters
from models.scaling.sweep import Swept
from models.scaling.ways import ANEW, BASE, DEFAULT, EXACT, FACTORS, KEEPS, PEERS, Way

Cells = tuple[list[str], list[list[str]]]
ABSENT = "–"
SHOWN = ("beam10", "beam50", "beam200", "beam1600", "guided 10/60", "guided 50/200", DEFAULT, EXACT)


def size_rows(found: Sequence[Swept]) -> Cells:
    """Every bundle: parameters, work and quality of its plain beam, its default tier and its exact scan."""
    head = ["bundle", "items", "generator", "PRM", "way", "MFLOP", "CPU ms", "R@10", "N@10"]
    return head, [cells for swept in found for cells in _size_cells(swept)]


def _size_cells(swept: Swept) -> list[list[str]]:
    facts = swept.facts
    own = parameters(facts.sizes)
    first = [swept.name, f"{facts.sizes.items:,}", millions(own.generator), millions(own.prm)]
    rows = [(way, result) for group in ("beams", "k10", "k50", PEERS, ANEW) for way, result in swept.of(group)]
    chosen = [pair for pair in rows if pair[0].name in SHOWN or pair[0].corrected]
    blank = [""] * len(first)
    return [(first if not number else blank) + way_cells(swept, *pair) for number, pair in enumerate(chosen)]


def way_cells(swept: Swept, way: Way, result: Result) -> list[str]:
    """Name, MFLOP, median CPU ms, R@10, N@10."""
    ms = result.median_ms()
    name = f"{way.name} {_widths(way)}" if way.name.endswith(DEFAULT) else way.name
    return [
        name,
        f"{swept.facts.flop(way) / 1e6:.1f}",
        ABSENT if ms is None else f"{ms:.2f}",
        share(result.recall(10)),
        share(result.ndcg(10)),
    ]


def _widths(way: Way) -> str:
    return ", ".join(f"{keep}/{plus}" for keep, plus in way.levels)


def wide_rows(swept: Swept, figure: str) -> Cells:
    """K' by K+/K': N@10, or HRecall of a depth as "hrecall@b"; what a wider pool does not change is left out."""
    head = ["K' by K+/K'", *(f"× {factor}" for factor in FACTORS)]
    rows = []
    for k_keep in KEEPS:
        by_plus = {way.levels[0][1]: result for way, result in swept.of(f"k{k_keep}")}
        if by_plus:
            cells = [by_plus.get(k_keep * factor) for factor in FACTORS]
            rows.append([str(k_keep), *(ABSENT if cell is None else share(value_of(cell, figure)) for cell in cells)])
    return head, rows


def value_of(result: Result, figure: str) -> float:
    """N@10 as "ndcg", R@10 as "recall", or "hrecall@b"."""
    if not figure.startswith("hrecall@"):
        return float(result.per_user(figure, 10).mean())
    assert result.paths is not None
    return float(result.paths.kept[:, int(figure.removeprefix("hrecall@")) - 1].mean())


def depth_rows(found: Sequence[Swept]) -> Cells:
    """The PRM at every set of depths, beside leaf only, per data set."""
    head = ["data", "PRM at depths", "R@10", "N@10", "Δ N@10 to leaf only [95 % CI]", "HRecall at the leaf"]
    head += ["search error", "model error", "luck"]
    rows = []
    for swept in found:
        for row in depths(swept):
            where = "+".join(str(level + 1) for level in row.way.depths) or "none"
            pair = interval(row.against_leaf) if row.against_leaf else ABSENT
            shares = (row.hrecall, row.search, row.model, row.luck)
            rows.append([swept.name, where, share(row.recall), share(row.ndcg), pair, *map(share, shares)])
    return head, rows


def level_rows(found: Sequence[Swept]) -> Cells:
    """K+ of one depth, that of the others as in BASE: N@10 by width, and the narrowest that is as good as the best."""
    head = ["data", "depth", *(f"K+ {BASE[0] * factor}" for factor in FACTORS), "best", "enough"]
    rows = []
    for swept in found:
        for level in range(swept.facts.sizes.depth):
            pairs = swept.of(f"level-{level + 1}")
            if pairs:
                rows.append([swept.name, str(level + 1), *_level_cells(level, pairs)])
    return head, rows


def _level_cells(level: int, pairs: Sequence[tuple[Way, Result]]) -> list[str]:
    by_plus = {way.levels[level][1]: result for way, result in pairs}
    cells = [by_plus.get(BASE[0] * factor) for factor in FACTORS]
    values = {plus: result.ndcg(10) for plus, result in by_plus.items()}
    best = max(values, key=lambda plus: values[plus])
    return [ABSENT if c is None else share(c.ndcg(10)) for c in cells] + [str(best), str(enough(by_plus, best))]


def enough(by_plus: dict[int, Result], best: int) -> int:
    """The narrowest K+ whose N@10 is not surely below that of the best (paired 95 % interval)."""
    level = (plus for plus in sorted(by_plus) if compare(by_plus[plus], by_plus[best])["ndcg@10"].high >= 0)
    return next(level, best)


def bigger_sentence(claim: Bigger) -> str:
    """One sentence: the small generator's search against the larger one's plain beam."""
    own = claim.parameters
    return (
        f"{claim.small} ({millions(own.generator)} + PRM {millions(own.prm)} parameters), {claim.way.name}: N@10 "
        f"{share(claim.ndcg)} at {claim.flop / 1e6:.1f} MFLOP; {claim.large} ({millions(claim.large_parameters)}, "
        f"{claim.times:.1f} × the generator, {claim.large_parameters / (own.generator + own.prm):.1f} × with the PRM), "
        f"its best plain beam {claim.beam.name}: {share(claim.large_ndcg)} at {claim.large_flop / 1e6:.1f} MFLOP. "
        f"Difference {interval(claim.gain)}. {_cheapest(claim)}"
    )


def _cheapest(claim: Bigger) -> str:
    return f"The least work that surely beats it: {claim.cheapest.name}." if claim.cheapest else "No search beats it."


def wider_sentence(name: str, claim: Wider) -> str:
    """One sentence: what more K+ does to HRecall at the last depth and to N@10."""
    before, after = claim.hrecall
    return (
        f"{name}, {claim.narrow.name.removeprefix('guided ')} → {claim.wide.name.removeprefix('guided ')}: HRecall@"
        f"{len(claim.wide.levels)}@{claim.wide.levels[0][0]} {share(before)} → {share(after)} "
        f"({percent(claim.hrecall_ratio)}), N@10 {share(claim.ndcg[0])} → {share(claim.ndcg[1])} "
        f"({percent(claim.ndcg_ratio)}; {interval(claim.gain)})."
    )


def percent(found: Ratio) -> str:
    """+36.2 % [+31.0, +41.8]."""
    values = [f"{100 * (value - 1):+.1f}".replace("-", "−") for value in (found.ratio, found.low, found.high)]
    return f"{values[0]} % [{values[1]}, {values[2]}]"


def times(found: Ratio, digits: int = 3) -> str:
    """0.988 [0.975, 1.001]."""
    return f"{found.ratio:.{digits}f} [{found.low:.{digits}f}, {found.high:.{digits}f}]"


def millions(count: int) -> str:
    """2.49 M."""
    return f"{count / 1e6:.2f} M"


def served_sentence(swept: Swept) -> str:
    """One sentence: the default tier against the exact scan; empty where either was not measured."""
    found = served(swept)
    if not found:
        return ""
    kept = swept.kept.get(DEFAULT)
    shared = f", {kept.mean():.2%} of the scan's ten found" if kept is not None else ""
    return (
        f"{swept.name}, default tier against the exact scan: N@10 × {times(found['ndcg@10'])}, R@10 × "
        f"{times(found['recall@10'])}{shared}, the scan's CPU time {times(found['ms'], 1)} × the tier's."
    )
