"""Evaluation results for people and machines: terminal and markdown tables, JSON, the plot of quality against K+."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from models import metrics
from models.metrics import F64, Interval
from models.results import Paths, Result, ResultsError, compare, errors

Summary = dict[str, Any]

_CUTS = (5, 10)
_ABSENT = "–"


def summarise(results: Sequence[Result], reference: str | None = None, seed: int = 0) -> list[Summary]:
    """One JSON-ready dictionary a method; see `summary` for the keys.

    `reference` names the method that the others are compared with; a method called "exact" splits their misses.

    Raises:
        ValueError: no method is called `reference`.
    """
    by_name = {result.method: result for result in results}
    if reference is not None and reference not in by_name:
        raise ResultsError(f"no method is called {reference!r}: {', '.join(by_name)} are known")
    base = by_name[reference] if reference is not None else None
    return [summary(result, base, by_name.get(_scan_of(result)), seed) for result in results]


def _scan_of(result: Result) -> str:
    """The exact ranking that a search aims at; another PRM form's results carry its name behind the widths."""
    kind, _, rest = result.method.partition(" ")
    if " " in rest:
        return ""
    return {"guided": "exact", "corrected": "corrected exact"}.get(kind, "")


def summary(result: Result, base: Result | None, exact: Result | None, seed: int = 0) -> Summary:
    """Figures of one method: recall and ndcg by cut, ties in list order, HRecall, pool, rescue and damage per depth,
    milliseconds, paired difference to `base` with its 95 % interval, misses split into search and model error.
    """
    figures: Summary = {"method": result.method, "users": result.users, "k_keep": result.k_keep}
    figures["k_plus"] = result.k_plus
    figures |= {f"recall@{k}": result.recall(k) for k in _CUTS} | {f"ndcg@{k}": result.ndcg(k) for k in _CUTS}
    figures["ties_in_list_order"] = {
        f"{name}@{k}": float(result.per_user(name, k, by_order=True).mean())
        for name in ("recall", "ndcg")
        for k in _CUTS
    }
    figures |= {name: _listed(getattr(result, name)()) for name in ("hrecall", "rescue", "damage")}
    figures["pool"] = _listed(result.paths.pool.mean(0) if result.paths else None)
    figures["ms"] = _milliseconds(result)
    if base is not None and base is not result:
        pairs = compare(result, base, seed)
        figures["against"] = {"method": base.method, **{name: vars(pair) for name, pair in pairs.items()}}
    if exact is not None and result.paths is not None:
        figures["errors@10"] = vars(errors(result, exact))
    return figures


def _listed(values: F64 | None) -> list[float] | None:
    return None if values is None else [float(value) for value in values]


def _milliseconds(result: Result) -> dict[str, float] | None:
    if not result.ms.size:
        return None
    p50, p90 = np.quantile(result.ms, [0.5, 0.9])
    return {"mean": float(result.ms.mean()), "p50": float(p50), "p90": float(p90), "requests": result.ms.size}


def rows(results: Sequence[Result], reference: str | None = None, seed: int = 0) -> tuple[list[str], list[list[str]]]:
    """Header and cells of the main table: quality, paired difference to the reference, time, HRecall by depth."""
    depth = max((result.paths.kept.shape[1] for result in results if result.paths), default=0)
    head = ["method", "R@5", "N@5", "R@10", "N@10"]
    head += [f"ΔR@10 to {reference} [95 % CI]"] if reference else []
    head += ["ms/user", *(f"HRecall@{b}" for b in range(1, depth + 1))]
    return head, [_cells(figures, reference, depth) for figures in summarise(results, reference, seed)]


def _cells(figures: Summary, reference: str | None, depth: int) -> list[str]:
    cells = [figures["method"], *(share(figures[f"{name}@{k}"]) for k in _CUTS for name in ("recall", "ndcg"))]
    if reference:
        against = figures.get("against")
        cells.append(interval(Interval(**against["recall@10"])) if against else _ABSENT)
    cells.append(f"{figures['ms']['p50']:.2f}" if figures["ms"] else _ABSENT)
    return cells + [share(value) for value in figures["hrecall"] or [None] * depth]


def share(value: float | None) -> str:
    """.0765, as the literature prints it."""
    return _ABSENT if value is None else f"{value:.4f}".removeprefix("0")


def interval(pair: Interval) -> str:
    """+.0152 [+.0121, +.0183]."""
    difference, low, high = (_signed(value) for value in (pair.difference, pair.low, pair.high))
    return f"{difference} [{low}, {high}]"


def _signed(value: float) -> str:
    return ("−" if value < 0 else "+") + share(abs(value))


def depth_rows(results: Sequence[Result]) -> tuple[list[str], list[list[str]]]:
    """Header and cells of the table of searches by depth: share expanded, kept by the beam, rescued, damaged, kept."""
    head = ["method", "depth", "in the K+", "beam's K'", "rescue", "damage", "rescue − damage", "HRecall"]
    return head, [cells for r in results if r.paths for cells in _depth_cells(r.method, r.paths)]


def _depth_cells(method: str, paths: Paths) -> list[list[str]]:
    kept, rescued = metrics.hrecall(paths.kept), metrics.rescue(paths.kept, paths.beam)
    damaged = metrics.damage(paths.kept, paths.beam)
    columns = zip(paths.pool.mean(0), paths.beam.mean(0), rescued, damaged, rescued - damaged, kept, strict=True)
    return [
        [method, str(b), share(pool), share(beam), share(up), share(down), _signed(net), share(kept)]
        for b, (pool, beam, up, down, net, kept) in enumerate(columns, 1)
    ]


def error_rows(results: Sequence[Result]) -> tuple[list[str], list[list[str]]]:
    """Header and cells of the split of misses at 10 against the method called "exact"."""
    head = ["method", "miss@10", "search error", "model error", "luck"]
    split = [(figures, figures["errors@10"]) for figures in summarise(results) if "errors@10" in figures]
    names = ("search", "model", "luck")
    return head, [[f["method"], share(1 - f["recall@10"]), *(share(e[n]) for n in names)] for f, e in split]


def tie_rows(results: Sequence[Result]) -> tuple[list[str], list[list[str]]]:
    """Header and cells of the tie sensitivity: seeded shuffle (the figure of every other table) and list order."""
    head = ["method", "R@10 shuffled", "R@10 in order", "N@10 shuffled", "N@10 in order"]
    orders = (False, True)
    return head, [
        [r.method, *(share(r.recall(10, by_order=o)) for o in orders), *(share(r.ndcg(10, by_order=o)) for o in orders)]
        for r in results
    ]


def seed_rows(runs: Sequence[Sequence[Result]]) -> tuple[list[str], list[list[str]]]:
    """Header and cells of mean ± standard deviation over runs (training seeds) of the same methods.

    Raises:
        ValueError: the runs do not hold the same methods.
    """
    names = [[result.method for result in run] for run in runs]
    if not runs or any(own != names[0] for own in names):
        raise ResultsError("a table over seeds needs the same methods in every run")
    head = ["method", "R@5", "N@5", "R@10", "N@10", "seeds"]
    return head, [
        [name, *_spread(column), str(len(runs))] for name, column in zip(names[0], zip(*runs, strict=True), strict=True)
    ]


def _spread(column: Sequence[Result]) -> list[str]:
    figures = [[result.per_user(name, k).mean() for k in _CUTS for name in ("recall", "ndcg")] for result in column]
    spread = np.std(figures, axis=0, ddof=1) if len(figures) > 1 else None
    means = [share(float(mean)) for mean in np.mean(figures, axis=0)]
    return means if spread is None else [f"{mean} ± {share(float(s))}" for mean, s in zip(means, spread, strict=True)]


def table(results: Sequence[Result], reference: str | None = None, *, title: str | None = None, seed: int = 0) -> Table:
    """The main table for a terminal."""
    return to_rich(*rows(results, reference, seed), title=title)


def to_rich(head: Sequence[str], cells: Sequence[Sequence[str]], *, title: str | None = None) -> Table:
    """Any of the tables of this module for a terminal; the first column is left aligned."""
    drawn = Table(title=title)
    for number, name in enumerate(head):
        drawn.add_column(name, justify="right" if number else "left", no_wrap=True)
    for row in cells:
        drawn.add_row(*row)
    return drawn


def to_markdown(head: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    """Any of the tables of this module in markdown."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *cells]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def write_section(path: Path, name: str, text: str) -> None:
    """Replace what stands between `<!-- begin: name -->` and `<!-- end: name -->` in a text file.

    Raises:
        ValueError: the file has no such section.
    """
    begin, end = f"<!-- begin: {name} -->", f"<!-- end: {name} -->"
    if not path.is_file():
        raise ResultsError(f"{path}: no such file")
    before, found, rest = path.read_text("utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ResultsError(f"{path}: no section {begin} … {end}")
    path.write_text(f"{before}{begin}\n{text.strip()}\n{end}{after}", "utf-8")
