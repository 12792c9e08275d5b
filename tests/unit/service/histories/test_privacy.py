"""A user id is never at rest: not in a key or a value of Redis, not in the memory of the process."""

import asyncio
import string
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis_server import RedisServer

from service.cache.redis import connect
from service.histories.memory import MemoryHistories
from service.histories.protocol import Event
from service.histories.redis import RedisHistories
from service.histories.users import at_rest

ids = st.text(string.ascii_letters + string.digits + "@.-é", min_size=8, max_size=40)
secrets = st.sampled_from([b"", b"s", b"a secret that is longer than a key of blake2b may be" * 3])


def everything(server: RedisServer) -> bytes:
    """All keys by SCAN and all values by DUMP, also each member on its own: a dump may be compressed."""
    cursor, found = b"0", list[bytes]()
    while True:
        cursor, names = server.command("SCAN", cursor)
        for name in names:
            found += [name, server.command("DUMP", name), *server.command("ZRANGE", name, 0, -1)]
        if cursor == b"0":
            return b"\n".join(found)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@settings(max_examples=15, deadline=None)
@given(st.sets(ids, min_size=1, max_size=5), secrets)
def test_no_user_id_is_in_redis(
    redis_server: RedisServer, runner: asyncio.Runner, users: set[str], secret: bytes
) -> None:
    async def story() -> bytes:
        redis_server.command("FLUSHALL")
        remote = connect(redis_server.url, 10)
        store = RedisHistories(remote, 100, 1, secret)
        await store.append([Event(user, f"item {number}", float(number)) for user in users for number in range(60)])
        assert [len(await store.read(user)) for user in users] == [60] * len(users)
        await remote.close()
        return everything(redis_server)

    stored = runner.run(story())
    assert stored.count(b"item 59") >= len(users)
    assert not [user for user in users if user.encode() in stored]


def test_no_user_id_stays_in_the_process() -> None:
    store = MemoryHistories(items=10, days=1)
    asyncio.run(store.append([Event("ann@example.org", "item 1", 1.0)]))
    held = repr(vars(store))
    assert "item 1" in held
    assert "ann@example.org" not in held


@given(st.lists(st.tuples(ids, secrets), unique=True, max_size=20))
def test_every_id_and_secret_has_a_name_of_its_own(pairs: list[tuple[str, bytes]]) -> None:
    names = [at_rest(*pair) for pair in pairs]
    assert len(set(names)) == len(pairs)
    assert all(len(name) == 32 and set(name) <= set(string.hexdigits) for name in names)
    assert names == [at_rest(*pair) for pair in pairs]


def test_an_id_that_is_no_valid_text_has_a_name_too() -> None:
    assert at_rest("\ud800") != at_rest("?")
