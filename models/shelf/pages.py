"""The study for people and machines: verdicts, every setting, seeds; charts and JSON."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models.report import interval, share, to_markdown
from models.shelf import charts, control
from models.shelf.control import COSTS
from models.shelf.kept import Measured
from models.shelf.report import Report
from models.shelf.seeds import Headline
from models.shelf.settings import GUIDED
from models.shelf.study import Shelf
from models.shelf.verdicts import Verdict, frontier, gain, standing

Cells = tuple[list[str], list[list[str]]]


def page(report: Report) -> str:
    """Everything in markdown."""
    parts = [report.missing and "\n".join(f"- {line}" for line in report.missing)]
    for title, (head, rows) in blocks(report):
        parts += [title, to_markdown(head, rows)]
    parts.append("\n".join(f"- {line}" for line in sentences(report)))
    return "\n\n".join(part.strip() for part in parts if part)


def blocks(report: Report) -> list[tuple[str, Cells]]:
    """Titles and tables: verdicts, seeds, every setting of every test subject."""
    found = [("Verdicts, Δ N@10 to guided search at equal compute [95 % CI]:", verdict_rows(report))]
    found.append(("Expected before the first run, of N@10 at equal FLOP:", expected_rows(report)))
    if report.headlines:
        found.append(("Seeds, Δ N@10 to guided search at equal compute:", headline_rows(report.headlines)))
    return [x for x in found if x[1][1]] + [(f"Every setting, {t.subject.name}:", rows(t)) for t in report.tests]


def verdict_rows(report: Report) -> Cells:
    """A strategy by either cost: the setting that validation users chose, its gains, the verdict."""
    subjects = [test.subject.name for test in report.tests]
    head = ["strategy", "at equal", "setting", "validation", *subjects, "verdict"]
    return head, [cells for verdict in report.verdicts for cells in _verdict_cells(verdict, subjects)]


def _verdict_cells(verdict: Verdict, subjects: Sequence[str]) -> list[list[str]]:
    cells: list[list[str]] = []
    for cost, judged in verdict.by.items():
        first = "" if cells else verdict.strategy
        gains = [interval(judged.tests[name]) for name in subjects]
        setting = judged.setting.removeprefix(verdict.strategy + " ")
        cells.append([first, cost, setting, interval(judged.validation), *gains, "kept" if judged.kept else "dropped"])
    return cells


def expected_rows(report: Report) -> Cells:
    """What was expected of every strategy, and what its best setting did for the last test users."""
    head = ["strategy", "expected", "found"]
    name = report.tests[-1].subject.name if report.tests else ""
    found = [(verdict, verdict.by["FLOP"].tests[name]) for verdict in report.verdicts]
    return head, [[verdict.strategy, verdict.expected, interval(gain)] for verdict, gain in found]


def headline_rows(found: Sequence[Headline]) -> Cells:
    """A setting over training seeds, users averaged, and every seed alone."""
    head = ["setting", "at equal", "mean over seeds [95 % CI]", "every seed"]
    return head, [[x.setting, x.cost, interval(x.together), "; ".join(map(interval, x.alone))] for x in found]


def rows(shelf: Shelf) -> Cells:
    """Every setting: quality, work, time, and the difference to guided search at equal FLOP and equal time."""
    head = ["setting", "R@10", "N@10", "MFLOP", "beams", "rewarded", "CPU ms"]
    head += [f"Δ N@10 at equal {cost} [95 % CI]" for cost in COSTS]
    return head, [_cells(shelf, one) for strategy in shelf.measured for one in shelf.of(strategy)]


def _cells(shelf: Shelf, one: Measured) -> list[str]:
    spent = one.spent
    counts = [f"{sum(spent.beams[1:]):.0f}", f"{sum(spent.rewarded[1:]):.0f}"]
    figures = [share(one.result.recall(10)), share(one.result.ndcg(10)), f"{one.flop / 1e6:.1f}", *counts]
    return [one.setting.name, *figures, f"{one.ms:.2f}", *(_gain(shelf, one, cost) for cost in COSTS)]


def _gain(shelf: Shelf, one: Measured, cost: str) -> str:
    own = control.frontier(shelf.of(GUIDED), COSTS[cost])
    return "control" if one in own else interval(gain(one, shelf, cost))


def sentences(report: Report) -> list[str]:
    """Frontiers, and where the default tier stands."""
    lines = []
    for shelf in report.tests:
        for cost in COSTS:
            names = ", ".join(one.setting.name for one in frontier(shelf, cost))
            lines.append(f"{shelf.subject.name}, frontier of all by {cost}: {names}. {_standing(shelf, cost)}")
    return lines


def _standing(shelf: Shelf, cost: str) -> str:
    found = standing(shelf, cost)
    if not found.beaten_by:
        return f"{found.setting} is on it: nothing of no more {cost} is surely better."
    return f"Surely better than {found.setting} at no more {cost}: {', '.join(found.beaten_by)}."


def plots(report: Report, folder: Path) -> list[Path]:
    """A chart of every test subject; returns the files."""
    files = [folder / f"strategies-{test.subject.name}.svg" for test in report.tests]
    for test, file in zip(report.tests, files, strict=True):
        charts.strategies(test, file)
    return files


def as_json(report: Report) -> dict[str, Any]:
    """Every setting and every verdict, for machines."""
    return {
        "missing": report.missing,
        "verdicts": [_verdict_json(verdict) for verdict in report.verdicts],
        "seeds": [
            vars(x) | {"together": vars(x.together), "alone": [vars(y) for y in x.alone]} for x in report.headlines
        ],
        "settings": {t.subject.name: [_json(one) for s in t.measured for one in t.of(s)] for t in report.tests},
        "claims": sentences(report),
    }


def _verdict_json(verdict: Verdict) -> dict[str, Any]:
    by = {
        cost: {"setting": x.setting, "kept": x.kept, "validation": vars(x.validation)}
        | {"tests": {name: vars(pair) for name, pair in x.tests.items()}}
        for cost, x in verdict.by.items()
    }
    return {"strategy": verdict.strategy, "expected": verdict.expected, "kept": verdict.kept, "by": by}


def _json(one: Measured) -> dict[str, Any]:
    figures = {"setting": one.setting.name, "users": one.result.users, "recall@10": one.result.recall(10)}
    return figures | {"ndcg@10": one.result.ndcg(10), "flop": one.flop, "ms": one.ms, "spent": one.spent.as_json()}
