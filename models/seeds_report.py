"""Tables over training seeds: means, paired differences of seed-averaged users, what the order within a day adds."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from models import report
from models.evaluation import DEFAULT_TIER
from models.metrics import F64, Interval, paired_bootstrap
from models.report import interval, share
from models.results import Result, ResultsError
from models.seeds import About, Seed

Table = tuple[list[str], list[list[str]]]

METRICS = ("recall", "ndcg")
_CUT = 10


def by_seed(seeds: Sequence[Seed], method: str, metric: str, k: int = _CUT) -> F64:
    """[S,U]: every user's recall@k or ndcg@k with every seed.

    Raises:
        ResultsError: a seed was not judged by that method.
    """
    return np.stack([_result(seed, method).per_user(metric, k) for seed in seeds])


def difference(seeds: Sequence[Seed], method: str, rival: str, metric: str, k: int = _CUT) -> Interval:
    """method − rival: every user's metric is averaged over the seeds, then users are resampled (1,000 times, 95 %)."""
    first, second = (by_seed(seeds, name, metric, k).mean(0) for name in (method, rival))
    return paired_bootstrap(first, second, seed=0)


def difference_rows(seeds: Sequence[Seed], method: str = DEFAULT_TIER) -> Table:
    """Header and cells: `method` minus each of the others; the last column says it for every single seed."""
    head = [f"{method} −", "ΔR@10 [95 % CI]", "ΔN@10 [95 % CI]", "ΔN@10 by seed"]
    rivals = [name for name in names(seeds) if name != method]
    return head, [[rival, *_difference_cells(seeds, method, rival)] for rival in rivals]


def _difference_cells(seeds: Sequence[Seed], method: str, rival: str) -> list[str]:
    pairs = [interval(difference(seeds, method, rival, metric)) for metric in METRICS]
    single = (by_seed(seeds, method, "ndcg") - by_seed(seeds, rival, "ndcg")).mean(1)
    return [*pairs, ", ".join(("−" if value < 0 else "+") + share(abs(float(value))) for value in single)]


def order_rows(shuffled: Sequence[Seed], file: Sequence[Seed]) -> Table:
    """Header and cells: what every method gains where the items of one day keep the order of the file.

    The users are the same and paired; targets within a day may differ, and the networks were trained apart.

    Raises:
        ResultsError: these are not the two orders of one data set, setting and recipe.
    """
    if not _opposite(shuffled[0].about, file[0].about):
        raise ResultsError("shuffled days are compared with the order of the file, all else being equal")
    head = ["method", "R@10 shuffled", "R@10 file", "file − shuffled [95 % CI]"]
    head += ["N@10 shuffled", "N@10 file", "file − shuffled [95 % CI]"]
    both = [name for name in names(shuffled) if name in names(file)]
    return head, [[name, *(cell for m in METRICS for cell in _order_cells(shuffled, file, name, m))] for name in both]


def _opposite(one: About, other: About) -> bool:
    alike = ("dataset", "setting", "tier", "people", "choices")
    same = all(getattr(one, name) == getattr(other, name) for name in alike)
    return same and one.shuffled and not other.shuffled


def _order_cells(shuffled: Sequence[Seed], file: Sequence[Seed], method: str, metric: str) -> list[str]:
    one, other = (by_seed(seeds, method, metric).mean(0) for seeds in (shuffled, file))
    return [share(float(one.mean())), share(float(other.mean())), interval(paired_bootstrap(other, one, seed=0))]


def tables(seeds: Sequence[Seed], file: Sequence[Seed] = ()) -> list[Table]:
    """Means, differences, and with `file` (the same in the order of the file) what that order adds."""
    found = [report.seed_rows([seed.results for seed in seeds]), difference_rows(seeds)]
    return [*found, order_rows(seeds, file)] if file else found


def page(seeds: Sequence[Seed], file: Sequence[Seed] = ()) -> str:
    """The tables in markdown, each with the sentence that reads it."""
    sentences = [
        caption(seeds),
        f"`{DEFAULT_TIER}`, the default tier (K'/K+ by depth {seeds[0].about.tier}), against the others. Every user's "
        "figure is averaged over the seeds, then users are resampled:",
        "What the order of the file within a day adds; users are paired, networks were trained apart:",
    ]
    drawn = [report.to_markdown(*table) for table in tables(seeds, file)]
    pairs = zip(sentences, drawn, strict=False)
    return "\n\n".join(part.strip() for pair in pairs for part in pair)


def caption(seeds: Sequence[Seed]) -> str:
    """What the figures are of, in one sentence."""
    about, users = seeds[0].about, seeds[0].results[0].users
    order = "shuffled with each seed" if about.shuffled else "as in the file"
    numbers = ", ".join(str(seed.about.seed) for seed in seeds)
    return (
        f"{users:,} users of {about.dataset}, setting {about.setting}, seeds {numbers}, items of one day {order}; "
        "leave-one-out, full ranking, history excluded; mean ± standard deviation over seeds."
    )


def section(seeds: Sequence[Seed]) -> str:
    """Name of the markdown section: final-<dataset>-<setting>, of shuffled days with -shuffled behind."""
    about = seeds[0].about
    return f"final-{about.dataset}-{about.setting}" + ("-shuffled" if about.shuffled else "")


def as_json(seeds: Sequence[Seed]) -> dict[str, Any]:
    """The same figures for machines: of every method those of each seed, and the default tier's difference from it."""
    about = seeds[0].about
    facts = {name: getattr(about, name) for name in ("dataset", "setting", "shuffled", "tier")}
    numbers = [seed.about.seed for seed in seeds]
    return facts | {"seeds": numbers, "methods": {name: _figures(seeds, name) for name in names(seeds)}}


def _figures(seeds: Sequence[Seed], name: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        f"{metric}@{k}": by_seed(seeds, name, metric, k).mean(1).tolist() for k in (5, _CUT) for metric in METRICS
    }
    ahead = {f"{metric}@{_CUT}": vars(difference(seeds, DEFAULT_TIER, name, metric)) for metric in METRICS}
    return found | ({f"{DEFAULT_TIER} minus it": ahead} if name != DEFAULT_TIER else {})


def names(seeds: Sequence[Seed]) -> list[str]:
    """Methods of the first seed, in its order."""
    return [result.method for result in seeds[0].results]


def _result(seed: Seed, method: str) -> Result:
    for result in seed.results:
        if result.method == method:
            return result
    raise ResultsError(f"{seed.about.bundle}, seed {seed.about.seed}, was not judged by {method!r}")
