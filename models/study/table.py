"""The table of a study: every arm beside its control, pair by pair, and what was expected."""

from collections.abc import Sequence

from models import report
from models.report import interval, share
from models.results import Result, compare
from models.study import pooled
from models.study.run import BEAM, EXACT, FUSED, GUIDED, Judged

ABSENT = "–"


def rows(judged: Sequence[Judged], seed: int = 0) -> tuple[list[str], list[list[str]]]:
    """Header and cells: a line an arm and scoring rule; Δ is to the guided search by the reward alone of the first arm.

    An arm with a control of its own is compared with that, and says so.

    Raises:
        ResultsError: the arms were not judged on the same users.
    """
    guided = {arm.arm.name: arm.of(GUIDED) for arm in judged}
    depth = max(len(arm.of(GUIDED).hrecall()) for arm in judged)  # type: ignore[arg-type]  # a search has paths
    head = ["arm", "R@10", "N@10", *(f"HRecall@{b}" for b in range(1, depth + 1))]
    head += ["ΔN@10 [95 % CI]", "beam N@10", "exact N@10", "expected"]
    return head, [cells for arm in judged for cells in _lines(arm, guided, depth, seed)]


def _lines(judged: Judged, guided: dict[str, Result], depth: int, seed: int) -> list[list[str]]:
    plain, scan = (share(judged.of(name).ndcg(10)) for name in (BEAM, EXACT))
    lines = []
    for label, method in ((judged.arm.name, GUIDED), (f"{judged.arm.name}, log π + y", FUSED)):
        if method == GUIDED or judged.arm.fused:
            found = judged.of(method)
            quality = [share(found.recall(10)), share(found.ndcg(10)), *_kept(found, depth)]
            gain = _gain(found, judged.arm.control, guided, seed)
            lines.append([label, *quality, gain, plain, scan, judged.arm.expected if method == GUIDED else ABSENT])
    return lines


def _gain(found: Result, control: str, guided: dict[str, Result], seed: int) -> str:
    base = guided.get(control) if control else next(iter(guided.values()))
    if base is None or found is base:
        return ABSENT
    return interval(compare(found, base, seed)["ndcg@10"]) + (f" to {control}" if control else "")


def _kept(result: Result, depth: int) -> list[str]:
    found = result.hrecall()
    values = [] if found is None else [share(float(value)) for value in found]
    return values + [ABSENT] * (depth - len(values))


def label_rows(judged: Sequence[Judged]) -> tuple[list[str], list[list[str]]]:
    """Header and cells of what arms with more than prefix labels learned from; a line each."""
    told = [arm for arm in judged if arm.facts.right]
    depth = max((len(arm.facts.right) for arm in told), default=0)
    depths = range(1, depth + 1)
    head = ["arm", *(f"labels 1 @{b}" for b in depths), *(f"true label @{b}" for b in depths)]
    head += [*(f"true weight @{b}" for b in depths), *(f"V@{b}" for b in range(depth + 1))]
    cells = [[*arm.facts.right, *arm.facts.truth, *arm.facts.weight, *arm.facts.value] for arm in told]
    return head, [[arm.arm.name, *map(share, line)] for arm, line in zip(told, cells, strict=True)]


def page(judged: Sequence[Judged]) -> str:
    """The tables in markdown: the arms, what they learned from, the seeds; each under a line on how it was made."""
    users, first = judged[0].of(GUIDED).users, judged[0].arm.name
    parts = [
        f"{users:,} validation users of setting A, one seed an arm; guided search 50/200 by the reward alone unless "
        f"the arm says otherwise; Δ to {first}, paired.\n\n{report.to_markdown(*rows(judged))}"
    ]
    head, cells = label_rows(judged)
    if cells:
        parts.append(
            "Labels on training positions: the share of rewarded prefixes of a depth whose label is 1, of true ones, "
            "what the true prefix has of the target, and V of the true path (0 = before the first code).\n\n"
            + report.to_markdown(head, cells)
        )
    learned = [arm for arm in judged if arm.facts.positions]
    if learned:
        counts = [[arm.arm.name, f"{arm.facts.learned:,}", _dropped(arm)] for arm in learned]
        parts.append("Positions learned from:\n\n" + report.to_markdown(["arm", "positions", "dropped"], counts))
    return "\n".join([*parts, pooled.section(judged)] if pooled.section(judged) else parts)


def _dropped(judged: Judged) -> str:
    return f"{1 - judged.facts.learned / judged.facts.positions:.0%}".replace("%", " %")
