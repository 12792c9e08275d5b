"""Feedback counts once per request, item and event: with Redis among all replicas, without it in this process."""

import asyncio

from event_world import NOWHERE, everything, run, run_at
from hypothesis import given, settings
from hypothesis import strategies as st
from redis_server import RedisServer

from service.cache.remote import Remote
from service.experiments.analysis import Tally
from service.experiments.assignment import assign
from service.experiments.config import Bucket, Experiment, Experiments
from service.experiments.events import Event, MemoryLog
from service.experiments.exposures import Exposures
from service.experiments.feedback import KEY_PREFIX, Feedback
from service.experiments.report import Rate, Report
from service.experiments.tokens import Token, Tokens

NOW, WEEK = 1_750_000_000.0, 7 * 86_400.0
TOKEN = Token("req-1", (("budget", "deep", "hash"),), "k50", NOW - 3600.5, "unit-1")


def feedback(log: MemoryLog, remote: Remote | None, limit: int = 1000) -> Feedback:
    return Feedback(log, remote, WEEK, limit, lambda: NOW)


async def events(log: MemoryLog) -> list[Event]:
    return (await log.read())[0]


def test_the_fields_are_those_that_the_report_reads() -> None:
    async def scenario() -> None:
        log = MemoryLog()
        assert await feedback(log, None).record(TOKEN, "B000", "click")
        assert await events(log) == [
            {
                "type": "feedback",
                "time": NOW,
                "request_id": "req-1",
                "unit": "unit-1",
                "assignments": [["budget", "deep", "hash"]],
                "tier": "k50",
                "item_id": "B000",
                "event": "click",
            }
        ]

    run(scenario())


texts = st.sampled_from(["r", "rr", "", "\ud83d"])


@settings(deadline=None)
@given(st.lists(st.tuples(texts, texts, texts)))
def test_each_request_item_and_event_once(made: list[tuple[str, str, str]]) -> None:
    async def scenario() -> None:
        log, seen = MemoryLog(), set[tuple[str, str, str]]()
        counted = feedback(log, None)
        for request, item, event in made:
            token = Token(request, (), "k50", NOW, None)
            assert await counted.record(token, item, event) == ((request, item, event) not in seen)
            seen.add((request, item, event))
        found = await events(log)
        assert {(one["request_id"], one["item_id"], one["event"]) for one in found} == seen
        assert len(found) == len(seen)

    run(scenario())


def test_replicas_count_once_through_redis(redis: RedisServer) -> None:
    async def scenario(remote: Remote) -> None:
        logs = [MemoryLog(), MemoryLog()]
        replicas = [feedback(log, remote) for log in logs]
        made = [replica.record(TOKEN, f"item-{number}", "click") for number in range(50) for replica in replicas]
        counted = await asyncio.gather(*made)
        assert sum(counted) == 50
        assert sum([len(await events(log)) for log in logs]) == 50

    run_at(redis.url, scenario)
    keys = redis.command("KEYS", f"{KEY_PREFIX}*")
    assert len(keys) == 50
    assert all(len(key) == len(KEY_PREFIX) + 32 for key in keys), "nothing of users or items is left in Redis"
    lives = {redis.command("TTL", key) for key in keys}
    assert WEEK - 3660 < min(lives) <= max(lives) <= WEEK - 3600, "as long as the token is good"


def test_a_restarted_service_remembers_through_redis(redis: RedisServer) -> None:
    async def scenario(remote: Remote) -> None:
        assert await feedback(MemoryLog(), remote).record(TOKEN, "B000", "click")
        assert not await feedback(MemoryLog(), remote).record(TOKEN, "B000", "click")
        assert await feedback(MemoryLog(), remote).record(TOKEN, "B000", "cart")

    run_at(redis.url, scenario)


def test_a_token_at_its_end_can_still_be_counted(redis: RedisServer) -> None:
    async def scenario(remote: Remote) -> None:
        last = Token("req-2", (), "k50", NOW - WEEK - 5, None)
        assert await feedback(MemoryLog(), remote).record(last, "B000", "click")

    run_at(redis.url, scenario)


def test_without_an_answer_from_redis_this_process_counts_once() -> None:
    async def scenario(remote: Remote) -> None:
        log = MemoryLog()
        counted = feedback(log, remote)
        made = [await counted.record(TOKEN, item, "click") for item in ("a", "b", "a", "b", "c")]
        assert made == [True, True, False, False, True]
        assert len(await events(log)) == 3

    run_at(NOWHERE, scenario, timeout_s=0.05)


def test_a_foreign_value_under_the_key_is_a_duplicate_not_an_error(redis: RedisServer) -> None:
    async def scenario(remote: Remote) -> None:
        assert await feedback(MemoryLog(), remote).record(TOKEN, "B000", "click")
        (key,) = redis.command("KEYS", f"{KEY_PREFIX}*")
        redis.commands([("DEL", key), ("LPUSH", key, "x")])
        assert not await feedback(MemoryLog(), remote).record(TOKEN, "B000", "click")

    run_at(redis.url, scenario)


def test_the_report_understands_every_event_written_here() -> None:
    experiment = Experiment("budget", "budget-1", (Bucket("control", 0.5), Bucket("deep", 0.5)))
    tokens = Tokens(b"a secret of some length", WEEK, lambda: NOW)

    async def scenario() -> None:
        log, tally = MemoryLog(), Tally()
        exposures, counted = Exposures(log, clock=lambda: NOW), feedback(log, None)
        for number in range(200):
            found = assign(Experiments((experiment,)), f"user-{number}", "deep" if number % 10 == 0 else None)
            unit = tokens.unit(f"user-{number}")
            exposures.record(found.primary, unit, f"req-{number}", "k50", False)
            signed = tokens.sign(Token(f"req-{number}", found.triples, "k50", NOW, unit))
            if number < 100:
                await counted.record(tokens.read(signed), "B000", "click")
        for event in await everything(log):
            tally.add(event)
        report = tally.report(experiment)
        assert sum(arm.units for arm in report.arms) == 180
        assert sum(one.positive for one in rates(report, "click")) == 90
        assert (report.ignored.events_unreadable, report.ignored.feedback_overridden) == (0, 10)

    run(scenario())


def rates(report: Report, event: str) -> tuple[Rate, ...]:
    return next(one.rates for one in report.outcomes if one.event == event)
