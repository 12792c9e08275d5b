"""The tables of the study of votes."""

from collections.abc import Mapping

import numpy as np

from models import report
from models.evaluation.gauging import learned
from models.metrics import paired_bootstrap
from models.report import interval, share
from models.results import compare
from models.runs import Setting
from models.votes.judging import CONTROL, COUNTS, FIRST_WRONG, HEADS, ITEM_MISSED, REWARD, Judged
from models.votes.reliability import auroc, auroc_interval

ABSENT = "–"
OWN = (REWARD, CONTROL)
EXPECTED = (
    "Expected: the mean of 16 votes within .001 of the reward, one vote .001 below it; the reward too sure (ECE .02 to "
    ".05), with a temperature below .015; the deviation foretells errors with an AUROC of .65 to .70, the entropy of "
    "the reward alone with more; noise up to σ = .1 changes nothing, .3 costs .002; doubts add less than .01 to the "
    "learned difficulty."
)
Found = Mapping[Setting, Judged]


def page(found: Found) -> str:
    """All tables in markdown."""
    users = len(found["B"].wider)
    return "\n".join(
        [
            f"{users:,} test users of setting B, nothing corrected; Δ to the reward, paired, 95 % CI. {EXPECTED}\n",
            report.to_markdown(*quality(found["B"])),
            "Calibration of softmax(mean / T) at the best prefix of depths 1, 2 and 3; T from validation users of A:\n",
            report.to_markdown(*calibration(found["B"])),
            *(line for error in (FIRST_WRONG, ITEM_MISSED) for line in _foretold(found, error)),
            gauge(found),
        ]
    )


def _foretold(found: Found, error: str) -> tuple[str, ...]:
    head = f"AUROC of doubts at depth 1, error: {error}; validation of A / test of B:\n"
    kinds = (chosen(found, error, heads) for heads in (True, False))
    return head, report.to_markdown(*doubts(found, error)), *kinds


def quality(judged: Judged) -> tuple[list[str], list[list[str]]]:
    """NDCG@10 by source: guided 50/200 and the exact ranking."""
    lines, own = [], judged.exact[REWARD]
    counts = {REWARD: 0} | {f"{n} {HEADS}": n for n in COUNTS}
    for name, exact in judged.exact.items():
        guided = judged.guided.get(counts.get(name, -1))
        gain = ABSENT if name == REWARD else interval(paired_bootstrap(exact, own, 0))
        searched = [ABSENT, ABSENT]
        if guided:
            searched = [share(guided.ndcg(10)), ABSENT]
            if name != REWARD:
                searched[1] = interval(compare(guided, judged.guided[0])["ndcg@10"])
        lines.append([name, *searched, share(float(exact.mean())), gain])
    return ["source", "guided N@10", "Δ", "exact N@10", "Δ"], lines


def calibration(judged: Judged) -> tuple[list[str], list[list[str]]]:
    """ECE and Brier by source and depth, before and after the temperature, and of the mean of shares."""
    head = ["source", "T", "ECE, T = 1", "ECE", "ECE, mean of shares", "Brier, T = 1", "Brier", "Brier, mean of shares"]
    lines = []
    for name, depths in judged.depths.items():
        ways = [[getattr(depth, way) for depth in depths] for way in ("plain", "tempered", "mean_share")]
        cells = [" ".join(share(getattr(each, what)) for each in way) for what in ("ece", "brier") for way in ways]
        lines.append([name, " ".join(f"{hot:.2f}" for hot in judged.temperature[name]), *cells])
    return head, lines


def doubts(found: Found, error: str) -> tuple[list[str], list[list[str]]]:
    """AUROC on A / on B by source, a column a way."""
    several = {
        source: each for source, each in found["A"].doubt.items() if source not in (REWARD, f"{COUNTS[0]} {HEADS}")
    }
    ways = list(next(iter(several.values())))
    lines = [
        [source, *(" / ".join(f"{_auroc(found[x], source, way, error):.3f}" for x in ("A", "B")) for way in ways)]
        for source in several
    ]
    return ["source", *ways], lines


def chosen(found: Found, error: str, heads: bool) -> str:
    """One sentence on bootstrap heads or on perturbed encodings: the doubt that is best on A, entropies apart, and what
    it is worth on B beside the entropy of the reward.
    """
    sources = [source for source in found["A"].doubt if source != REWARD and source.endswith(HEADS) == heads]
    every = [(source, way) for source in sources for way in found["A"].doubt[source] if "entropy" not in way]
    source, way = max(every, key=lambda one: _auroc(found["A"], one[0], one[1], error))
    own, control = (_ranged(found["B"], who, how, error) for who, how in ((source, way), OWN))
    kind, share_wrong = "bootstrap heads" if heads else "perturbed encodings", found["B"].wrong[error].mean()
    return (
        f"{error} ({share_wrong:.1%} of B), {kind}: best on A is the {way}, {source}; on B {own}, "
        f"the {CONTROL} {control}.\n"
    )


def _auroc(judged: Judged, source: str, way: str, error: str) -> float:
    return auroc(judged.doubt[source][way], judged.wrong[error])


def _ranged(judged: Judged, source: str, way: str, error: str) -> str:
    low, high = auroc_interval(judged.doubt[source][way], judged.wrong[error])
    return f"{_auroc(judged, source, way, error):.3f} [{low:.3f}, {high:.3f}]"


def gauge(found: Found) -> str:
    """One line on the budget's difficulty, with and without doubts."""
    known, asked = found["A"], found["B"]
    source = [name for name in known.doubt if name.endswith(HEADS)][-1]
    plain = learned((known.first, {}), known.wider, (asked.first, {}))
    more = learned((known.first, known.doubt[source]), known.wider, (asked.first, asked.doubt[source]))
    without, with_them = auroc(plain, asked.wider), auroc(more, asked.wider)
    rng, gains = np.random.default_rng(0), []
    for _ in range(200):
        users = rng.integers(len(plain), size=len(plain))
        gains.append(auroc(more[users], asked.wider[users]) - auroc(plain[users], asked.wider[users]))
    low, high = np.nanquantile(gains, [0.025, 0.975])
    return (
        f"Who needs a wide search (guided 100/400 above 10/40, {asked.wider.mean():.1%} of users): AUROC of the "
        f"learned difficulty {without:.3f}, with the doubts of {source} {with_them:.3f}, Δ {with_them - without:+.3f} "
        f"[{low:+.3f}, {high:+.3f}].\n"
    )
