"""Pages of models/README.md: the tables of one evaluation in markdown, and its plot."""

from collections.abc import Sequence
from pathlib import Path

from models import plots, report
from models.report import write_section
from models.results import Result

__all__ = ["plot", "quality", "write_section"]


def quality(results: Sequence[Result]) -> str:
    """Main table against the first method, rescue and damage per depth, search and model error, ties."""
    reference = results[0].method
    parts = [
        f"{results[0].users:,} users, leave-one-out, full ranking, history excluded; differences are paired.",
        report.to_markdown(*report.rows(results, reference)),
        "Per depth, as shares of users (misses without PRM - misses with PRM = rescue - damage):",
        report.to_markdown(*report.depth_rows(results)),
        "Misses at 10 against the exact scan of the same PRM:",
        report.to_markdown(*report.error_rows(results)),
        "Ties in score:",
        report.to_markdown(*report.tie_rows(results)),
    ]
    return "\n\n".join(part.strip() for part in parts)


def plot(results: Sequence[Result], path: Path) -> None:
    """Quality against K+ of the guided methods of one PRM, the plain beam and the exact scan beside."""
    named = {result.method: result for result in results}
    swept = [result for name, result in named.items() if name.startswith("guided") and name.count(" ") == 1]
    plots.plot_widths(swept, path, beam=named.get("beam50"), exact=named.get("exact"))
