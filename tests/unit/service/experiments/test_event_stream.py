"""The event log in a real Redis: shared, bounded, and patient with a Redis that is away."""

import asyncio

import pytest
from event_world import NOWHERE, everything, run_at
from redis_server import RedisServer

from service.cache.remote import Remote, RemoteError
from service.experiments.events import READ
from service.experiments.stream import BATCH, STREAM, RedisLog


def test_events_come_back_in_order_and_in_parts(redis: RedisServer) -> None:
    async def scenario(remote: Remote) -> None:
        log = RedisLog(remote)
        log.start()
        written = [{"n": number, "text": "Käthe\n🦊\ud83d"} for number in range(READ + 2 * BATCH + 7)]
        for event in written:
            log.write(event)
        await log.close()
        assert log.dropped == 0
        first, cursor = await log.read()
        assert first == written[:READ]
        assert await everything(log, cursor) == written[READ:]

    run_at(redis.url, scenario)


def test_two_replicas_share_the_stream(redis: RedisServer) -> None:
    async def scenario(remote: Remote) -> None:
        logs = [RedisLog(remote), RedisLog(remote)]
        for replica, log in enumerate(logs):
            log.start()
            for number in range(50):
                log.write({"replica": replica, "n": number})
        for log in logs:
            await log.close()
        found = await everything(logs[0])
        assert len(found) == 100
        for replica in range(2):
            assert [event["n"] for event in found if event["replica"] == replica] == list(range(50))

    run_at(redis.url, scenario)


def test_a_cluster_takes_the_same_commands() -> None:
    async def scenario(remote: Remote) -> None:
        log = RedisLog(remote)
        log.start()
        for number in range(250):
            log.write({"n": number})
        await log.close()
        assert [event["n"] for event in await everything(log)] == list(range(250))

    with RedisServer(cluster=True) as server:
        run_at(server.url, scenario)


def test_the_stream_stays_about_as_long_as_it_may_be(redis: RedisServer) -> None:
    async def scenario(remote: Remote) -> None:
        log = RedisLog(remote, maxlen=500)
        log.start()
        for number in range(3000):
            log.write({"n": number})
        await log.close()
        numbers = [event["n"] for event in await everything(log)]
        assert numbers == list(range(3000 - len(numbers), 3000))
        assert 500 <= len(numbers) < 1000

    run_at(redis.url, scenario)


def test_entries_that_are_no_events_are_passed_over(redis: RedisServer) -> None:
    redis.command("XADD", STREAM, "*", "something", "else")
    redis.command("XADD", STREAM, "*", "event", '{"n":1}')
    redis.commands([("XADD", STREAM, "*", "event", b"\xff")] * (2 * READ))
    redis.command("XADD", STREAM, "*", "event", '{"n":2}', "more", "x")

    async def scenario(remote: Remote) -> None:
        log = RedisLog(remote)
        assert await everything(log) == [{"n": 1}, {"n": 2}]
        _, cursor = await log.read((await log.read())[1])
        assert await log.read(cursor) == ([], cursor)

    run_at(redis.url, scenario)


def test_a_redis_that_is_away_costs_time_and_no_event() -> None:
    with RedisServer() as server:
        told: list[str] = []

        async def scenario(remote: Remote) -> None:
            log = RedisLog(remote, limit=1000, on_error=told.append, retry_s=0.05)
            log.start()
            server.kill()
            for number in range(300):
                log.write({"n": number})
            while not told:
                await asyncio.sleep(0.01)
            with pytest.raises(RemoteError):
                await log.read()
            await asyncio.to_thread(server.restart)
            numbers: list[int] = []
            while len(numbers) < 300:
                await asyncio.sleep(0.05)
                try:
                    numbers = [event["n"] for event in await everything(log)]
                except RemoteError:
                    continue
            assert numbers == list(range(300))
            assert (log.dropped, len(told)) == (0, 1)
            await log.close()

        run_at(server.url, scenario)


def test_a_redis_that_never_comes_back_costs_the_newest_events() -> None:
    async def scenario(remote: Remote) -> None:
        log = RedisLog(remote, limit=100, retry_s=0.01)
        log.start()
        for number in range(150):
            log.write({"n": number})
        assert log.dropped == 50
        await log.close()
        assert log.dropped == 150

    run_at(NOWHERE, scenario, timeout_s=0.05)
