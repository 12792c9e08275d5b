"""From a user id to a verdict: real assignment, real events, late feedback, looks in between."""

import asyncio
import random
from functools import partial
from itertools import count

from event_makers import AB, exposure, feedback, outcome, rate

from service.experiments.analysis import Tally
from service.experiments.assignment import assign
from service.experiments.comparison import Method, Verdict
from service.experiments.config import Experiments
from service.experiments.events import MemoryLog
from service.experiments.exposures import Exposures
from service.experiments.feedback import Feedback
from service.experiments.report import Report
from service.experiments.tokens import Token, Tokens

RUNS, UNITS, LOOKS = 150, 400, 20
OURS = Experiments((AB,))


def run(clicks: dict[str, float], seed: int) -> list[Report]:
    """One experiment of UNITS users, looked at LOOKS times; a click comes up to a fifth of the experiment late."""
    rng = random.Random(seed)
    tally, reports, late = Tally(Method(expected_units=UNITS)), [], []
    for number in range(UNITS):
        user = f"{seed}-{number}"
        bucket = assign(OURS, user, None).primary.bucket
        tally.add(exposure(user, bucket, 1000.0 + number))
        if rng.random() < clicks[bucket]:
            late.append((number + rng.randrange(UNITS // 5), feedback(user, bucket, time=2000.0 + number)))
        for due in [one for one in late if one[0] <= number]:
            tally.add(due[1])
            late.remove(due)
        if (number + 1) % (UNITS // LOOKS) == 0:
            reports.append(tally.report(AB))
    return reports


def verdicts(reports: list[Report]) -> set[Verdict]:
    return {outcome(report).lifts[0].verdict for report in reports}


def peeked(reports: list[Report]) -> bool:
    intervals = [outcome(report).lifts[0].absolute.fixed for report in reports]
    return any(not one.low <= 0 <= one.high for one in intervals if one is not None)


def test_watching_an_experiment_without_effect() -> None:
    runs = [run({"a": 0.3, "b": 0.3}, seed) for seed in range(RUNS)]
    assert sum(bool(verdicts(reports) & {"higher", "lower"}) for reports in runs) / RUNS <= 0.05
    assert sum(map(peeked, runs)) / RUNS > 0.1, "too few looks to show anything"
    assert not any(report.split.broken for reports in runs for report in reports)


def test_watching_an_experiment_with_an_effect() -> None:
    runs = [run({"a": 0.3, "b": 0.55}, seed) for seed in range(40)]
    assert sum("higher" in verdicts(reports) for reports in runs) / len(runs) >= 0.8
    assert not any("lower" in verdicts(reports) for reports in runs)


def test_the_report_understands_what_the_service_writes() -> None:
    log, clock = MemoryLog(), partial(next, count(1_700_000_000.0))
    tokens, exposures = Tokens(b"a secret", 60.0, clock), Exposures(log, clock=clock)
    taken = Feedback(log, None, 60.0, clock=clock)

    async def serve(user: str, header: str | None) -> None:
        found, unit = assign(OURS, user, header), tokens.unit(user)
        exposures.record(found.primary, unit, user, "k20", degraded=user == "user-0", forced_same=False)
        token = tokens.read(tokens.sign(Token(user, found.triples, "k20", clock(), unit)))
        assert await taken.record(token, "item", "click")

    async def everything() -> Report:
        for number in range(60):
            await serve(f"user-{number}", None if number < 50 else "ab=b")
        tally = Tally()
        for event in (await log.read())[0]:
            tally.add(event)
        return tally.report(AB)

    report = asyncio.run(everything())
    assert (report.ignored.events_unreadable, report.ignored.feedback_overridden) == (0, 10)
    assert sum(arm.units for arm in report.arms) == 50
    assert [rate(report, name).positive for name in ("a", "b")] == [arm.units for arm in report.arms]
    assert [set(arm.exposures) | set(arm.feedback) for arm in report.arms] == [{"k20"}, {"k20"}]
    assert sum((arm.degraded or 0) * arm.units for arm in report.arms) == 1
