"""Connections to what Redis was before: a cluster that is left while commands wait, a primary that was demoted."""

import asyncio

from cache_world import GENEROUS_S, outcome, remote_at, run, until
from redis_server import RedisServer

from service.cache.redis import connect
from service.cache.remote import RemoteError
from service.cache.writer import Writer


def test_nobody_is_cancelled_when_a_silent_cluster_is_given_up() -> None:
    async def main() -> None:
        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        remote = connect(f"redis+cluster://127.0.0.1:{server.sockets[0].getsockname()[1]}", 0.3)
        writer = Writer(remote, 100)
        writer.start()

        async def look(delay_s: float) -> str:
            await asyncio.sleep(delay_s)
            try:
                await remote.execute("GET", "a")
            except RemoteError:
                return "failed"
            return "answered"

        waiting = [asyncio.create_task(look(delay_s)) for delay_s in (0.0, 0.0, 0.0, 0.2)]
        await asyncio.sleep(0.2)
        writer.put(b"k", b"v")  # still waiting when the three time-outs open the breaker
        assert [await one for one in waiting] == ["failed"] * 4
        await until(lambda: writer.write_errors == 1)
        await writer.close()
        await remote.close()
        server.close()

    run(main())


def test_a_demoted_primary_is_left_for_whoever_answers_at_its_address_now(redis: RedisServer) -> None:
    async def main() -> None:
        async with remote_at(redis.url, GENEROUS_S) as remote:
            await remote.execute("REPLICAOF", "127.0.0.1", 1)
            try:
                for _ in range(3):
                    assert (await outcome(remote, "SET", "k", "v")).code == "READONLY"
                assert remote.breaker_state != "closed"
            finally:
                async with remote_at(redis.url, GENEROUS_S) as other:
                    await other.execute("REPLICAOF", "NO", "ONE")
            await until(lambda: remote.breaker_state == "closed")
            assert await remote.execute("SET", "k", "v") == b"OK"

    run(main())
