"""The study for people and machines: one page of markdown, the claims, charts, JSON."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from models.metrics import Interval
from models.report import to_markdown
from models.results import Result, ResultsError
from models.scaling import charts, claims, tables
from models.scaling.flops import parameters
from models.scaling.study import HALF, MIDDLE, SMALL, SPORTS, WORLD, Report
from models.scaling.sweep import Swept
from models.scaling.ways import Way

WIDER = (10, 6)  # the claim: K' and by how much K+ grows


def page(report: Report) -> str:
    """Everything in markdown."""
    parts = [f"{line}" for line in report.missing]
    head, rows = tables.size_rows(list(report.found.values()))
    parts += ["Bundles:", to_markdown(head, rows)]
    for title, (head, rows) in blocks(report):
        parts += [title, to_markdown(head, rows)] if rows else []
    claimed = "\n".join(f"- {line}" for line in sentences(report))
    return "\n\n".join(part.strip() for part in [*parts, claimed])


def blocks(report: Report) -> list[tuple[str, tables.Cells]]:
    """Titles and tables of widths and depths."""
    found = []
    for swept in report.some(MIDDLE, HALF, SMALL, SPORTS, WORLD):
        depth = swept.facts.sizes.depth
        for title, figure in (("N@10", "ndcg"), (f"HRecall@{depth}@K'", f"hrecall@{depth}")):
            found.append((f"{title}, {swept.name}:", tables.wide_rows(swept, figure)))
    every = report.some(MIDDLE, SPORTS, WORLD)
    found.append(("The PRM at some depths:", tables.depth_rows(every)))
    found.append(("K+ of one depth, N@10:", tables.level_rows(every)))
    return found


def sentences(report: Report) -> list[str]:
    """The claims with their figures; a claim whose bundles or groups are missing is left out."""
    found = report.found
    rivals = report.some(HALF, MIDDLE) if SMALL in found else []
    lines = [_tried(partial(_bigger, found[SMALL], rival)) for rival in rivals]
    for swept in report.some(MIDDLE, HALF, SMALL, SPORTS, WORLD):
        lines += [_tried(partial(_wider, swept)), tables.served_sentence(swept)]
    return [line for line in lines if line]


def _bigger(small: Swept, rival: Swept) -> str:
    return tables.bigger_sentence(claims.bigger(small, rival))


def _wider(swept: Swept) -> str:
    return tables.wider_sentence(swept.name, claims.wider(swept, *WIDER))


def _tried(sentence: Callable[[], str]) -> str:
    try:
        return sentence()
    except ResultsError:
        return ""


def plots(report: Report, folder: Path) -> list[Path]:
    """Draw what was measured; returns the files."""
    by_size = report.some(SMALL, HALF, MIDDLE)
    made = [partial(charts.sizes, by_size, folder / "scaling-sizes.svg")] if by_size else []
    for chart, name, file in (
        (charts.widths, MIDDLE, "scaling-widths.svg"),
        (charts.large, WORLD, "scaling-world.svg"),
    ):
        if name in report.found:
            made.append(partial(chart, report.found[name], folder / file))
    for draw in made:
        draw()
    return [draw.args[-1] for draw in made]


def as_json(report: Report) -> dict[str, Any]:
    """Every way of every bundle, and the claims, for machines."""
    return {
        "missing": report.missing,
        "claims": sentences(report),
        "bundles": {name: _as_json(swept) for name, swept in report.found.items()},
    }


def _as_json(swept: Swept) -> dict[str, Any]:
    ways = {group: [_figures(swept, way, result) for way, result in swept.of(group)] for group in swept.results}
    depths = [
        vars(row) | {"way": row.way.name, "against_leaf": _fields(row.against_leaf)} for row in claims.depths(swept)
    ]
    kept = {name: float(values.mean()) for name, values in swept.kept.items()}
    return {"parameters": vars(parameters(swept.facts.sizes)), "ways": ways, "depths": depths, "kept": kept}


def _figures(swept: Swept, way: Way, result: Result) -> dict[str, Any]:
    kept = result.hrecall()
    figures = {"way": way.name, "levels": way.levels, "users": result.users, "flop": swept.facts.flop(way)}
    figures |= {"recall@10": result.recall(10), "ndcg@10": result.ndcg(10), "ms": result.median_ms()}
    return figures | {"hrecall": None if kept is None else kept.tolist()}


def _fields(pair: Interval | None) -> dict[str, float] | None:
    return None if pair is None else dict(vars(pair))
