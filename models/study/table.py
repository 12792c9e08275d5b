"""The table of a study: every arm beside the first one, pair by pair, and what was expected."""

from collections.abc import Sequence

from models import report
from models.report import interval, share
from models.results import Result, compare
from models.study.run import BEAM, EXACT, FUSED, GUIDED, Judged

ABSENT = "–"


def rows(judged: Sequence[Judged], seed: int = 0) -> tuple[list[str], list[list[str]]]:
    """Header and cells: a line an arm and scoring rule; Δ is to the first arm's guided search by the reward alone.

    Raises:
        ResultsError: the arms were not judged on the same users.
    """
    base = judged[0].of(GUIDED)
    depth = max(len(arm.of(GUIDED).hrecall()) for arm in judged)  # type: ignore[arg-type]  # a search has paths
    head = ["arm", "R@10", "N@10", *(f"HRecall@{b}" for b in range(1, depth + 1))]
    head += ["ΔN@10 [95 % CI]", "beam N@10", "exact N@10", "expected"]
    return head, [cells for arm in judged for cells in _lines(arm, base, depth, seed)]


def _lines(judged: Judged, base: Result, depth: int, seed: int) -> list[list[str]]:
    plain, scan = (share(judged.of(name).ndcg(10)) for name in (BEAM, EXACT))
    lines = []
    for label, method in ((judged.arm.name, GUIDED), (f"{judged.arm.name}, log π + y", FUSED)):
        if method == GUIDED or judged.arm.fused:
            found = judged.of(method)
            quality = [share(found.recall(10)), share(found.ndcg(10)), *_kept(found, depth)]
            gain = ABSENT if found is base else interval(compare(found, base, seed)["ndcg@10"])
            lines.append([label, *quality, gain, plain, scan, judged.arm.expected if method == GUIDED else ABSENT])
    return lines


def _kept(result: Result, depth: int) -> list[str]:
    found = result.hrecall()
    values = [] if found is None else [share(float(value)) for value in found]
    return values + [ABSENT] * (depth - len(values))


def page(judged: Sequence[Judged]) -> str:
    """The table in markdown, under one line that says how it was made."""
    users, first = judged[0].of(GUIDED).users, judged[0].arm.name
    return (
        f"{users:,} validation users of setting A, one seed; guided search 50/200 by the reward alone unless the arm "
        f"says otherwise; Δ to {first}, paired.\n\n{report.to_markdown(*rows(judged))}"
    )
