"""What is done to Redis in each row of the fault table, and when."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from loadtest.bench.proxy import DelayProxy
from loadtest.bench.redis_server import Command, RedisServer
from loadtest.open_loop import Beside

KEYS = "promise:h:*"
CORRUPTED = 1000
SLOWED = "slowed"


@dataclass(frozen=True)
class Scene:
    """A redis-server, a proxy before it for the row that slows, and key → the original and the corrupted bytes."""

    redis: RedisServer
    proxy: DelayProxy
    delay_s: float = 0.1
    corrupted: dict[bytes, tuple[bytes, bytes]] = field(default_factory=dict)

    def encodings(self) -> list[bytes]:
        keys: list[bytes] = self.redis.command("KEYS", KEYS)
        return sorted(keys)

    def slow(self) -> None:
        self.proxy.delay_s = self.delay_s

    def swift(self) -> None:
        self.proxy.delay_s = 0.0

    def flush(self) -> None:
        self.redis.command("FLUSHALL")

    def corrupt(self) -> None:
        """Spoil up to a thousand encodings: bits flipped, cut, filled up, emptied, nonsense, or of another type."""
        rng = random.Random(0)  # noqa: S311 - the same spoils in every run
        keys = self.encodings()[:CORRUPTED]
        values = self.redis.commands([("GET", key) for key in keys])
        batch: list[Command] = []
        for number, (key, value) in enumerate(zip(keys, values, strict=True)):
            spoiled = SPOILS[number % len(SPOILS)](bytearray(value), rng)
            self.corrupted[key] = (value, spoiled)
            batch += [("SET", key, spoiled, "KEEPTTL")] if spoiled else [("DEL", key), ("RPUSH", key, b"not a string")]
        self.redis.commands(batch)

    def repaired(self) -> int:
        """How many of the corrupted keys hold a value of the right length again, other than the corrupted one."""
        kinds = self.redis.commands([("TYPE", key) for key in self.corrupted])
        strings = [key for key, kind in zip(self.corrupted, kinds, strict=True) if kind == b"string"]
        values = dict(zip(strings, self.redis.commands([("GET", key) for key in strings]), strict=True))
        pairs = [(values.get(key, b""), *both) for key, both in self.corrupted.items()]
        return sum(len(value) == len(original) and value != spoiled for value, original, spoiled in pairs)

    def change_password(self) -> None:
        """The service's password is wrong from now on; connections that it has are closed."""
        self._password("changed")

    def restore_password(self) -> None:
        self._password("")

    def _password(self, password: str) -> None:
        self.redis.command("CONFIG", "SET", "requirepass", password)
        self.redis.password = password
        self.redis.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


def _flip(value: bytearray, rng: random.Random) -> bytes:
    value[rng.randrange(len(value))] ^= 1 << rng.randrange(8)
    return bytes(value)


SPOILS: tuple[Callable[[bytearray, random.Random], bytes], ...] = (
    _flip,
    lambda value, rng: bytes(value[: rng.randrange(1, len(value))]),
    lambda value, rng: bytes(value) + rng.randbytes(1 + rng.randrange(64)),
    lambda value, rng: rng.randbytes(len(value)),
    lambda value, _: bytes(len(value)),
    lambda _, __: b"{}",
    lambda _, __: b"",  # stands for a value of another type
)

Row = Callable[[Scene, float, float], list[Beside]]  # (scene, begin, end) in seconds of the run → what happens


def _restarted(scene: Scene, begin: float, end: float) -> list[Beside]:
    """Twice down for a quarter of the time."""
    half, down = (end - begin) / 2, (end - begin) / 4
    starts = (begin, begin + half)
    return [act for at in starts for act in ((at, scene.redis.kill), (at + down, scene.redis.restart))]


def _flushed(scene: Scene, begin: float, end: float) -> list[Beside]:
    """Ten times."""
    return [(begin + n * (end - begin) / 10, scene.flush) for n in range(10)]


ROWS: Mapping[str, Row] = {
    "no fault": lambda scene, begin, end: [],  # noqa: ARG005
    "killed": lambda scene, begin, end: [(begin, scene.redis.kill), (end, scene.redis.restart)],
    "restarted": _restarted,
    "paused": lambda scene, begin, end: [(begin, scene.redis.pause), (end, scene.redis.resume)],
    SLOWED: lambda scene, begin, end: [(begin, scene.slow), (end, scene.swift)],
    "FLUSHALL": _flushed,
    "corrupted values": lambda scene, begin, end: [(begin, scene.corrupt)],  # noqa: ARG005
    "wrong password": lambda scene, begin, end: [(begin, scene.change_password), (end, scene.restore_password)],
}
