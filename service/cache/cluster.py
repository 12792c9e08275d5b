"""A Redis Cluster: which node serves a key is asked for before the first command, and again when it seems stale."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from redis.crc import key_slot
from redis.exceptions import AskError, MovedError
from redis.exceptions import ConnectionError as RefusedError

from service.cache.breaker import Breaker
from service.cache.learning import ASK_S, Learning, first
from service.cache.remote import Argument
from service.cache.single import Address, Command, Single, all_of, refused

T = TypeVar("T")
Slots = list[Address | None]
SLOTS = 16384
ASKED = 3  # nodes, besides the seeds, that are asked for the layout at once
SCRIPTED = ("EVAL", "EVALSHA")  # whose first key is the third argument


class Node:
    """One server of the cluster, left alone for a moment after failures: those of one node are not the others'."""

    def __init__(self, server: Single) -> None:
        self.server, self.breaker = server, Breaker()

    async def ask(self, call: Callable[[Single], Awaitable[T]], slow_s: float) -> T:
        """A command that is given up after `slow_s` or longer has failed; one given up sooner says nothing.

        Raises:
            RefusedError: nothing was sent.
        """
        began = time.monotonic()
        ticket = self.breaker.allow() or self.breaker.probe(began)
        if not ticket:
            raise RefusedError("this node has failed and is left alone for a moment")
        try:
            reply = await call(self.server)
        except BaseException as error:
            now = time.monotonic()
            if refused(error) or isinstance(error, AskError):
                self.breaker.success(ticket, now)
            elif isinstance(error, Exception) or now - began >= slow_s:
                self.breaker.failure(ticket, now)
            raise
        self.breaker.success(ticket, time.monotonic())
        return reply


class Cluster:
    """Commands to whichever primary has their key, one connection pool a node; `server` makes the way to an address.

    A command without a key may go to any node. Nodes are asked for their layout several at once, and the first answer
    counts: where it is stale, a redirection or a failure soon leads to the next question.
    """

    def __init__(self, seeds: Sequence[Address], server: Callable[[Address], Single], timeout_s: float) -> None:
        self._seeds, self._server = tuple(dict.fromkeys(seeds)), server
        self._slow_s, self._ask_s = timeout_s / 2, max(ASK_S, timeout_s)
        self._nodes = {seed: Node(server(seed)) for seed in self._seeds}
        self._slots: Slots = [None] * SLOTS
        self._learning = Learning(self._learn)

    async def execute(self, command: Command) -> Any:
        address = self._serving(command)
        try:
            return await self._on(address, lambda server: server.execute(command))
        except AskError as error:
            return (await self._redirected(address, error, [command]))[0]

    async def pipeline(self, commands: Sequence[Command], last: Command = ()) -> list[Any]:
        parts: dict[Address, list[int]] = {}
        for at, command in enumerate(commands):
            parts.setdefault(self._serving(command), []).append(at)
        sent = [self._part(address, [commands[at] for at in places], last) for address, places in parts.items()]
        found = all_of(await asyncio.gather(*sent, return_exceptions=True))  # none goes on when one has failed
        replies = dict(zip((at for places in parts.values() for at in places), _flat(found, 0), strict=True))
        return [*(replies[at] for at in range(len(commands))), *([min(_flat(found, 1))] if last else ())]

    async def open(self) -> None:
        await self._learning.known()

    async def reset(self) -> None:
        await self._learning.forget()
        for node in list(self._nodes.values()):
            node.breaker = Breaker()
            await node.server.reset()

    async def close(self) -> None:
        await self._learning.forget()
        for node in list(self._nodes.values()):
            with suppress(Exception):
                await node.server.close()

    def _serving(self, command: Command) -> Address:
        key = _key(command)
        found = self._slots[key_slot(key)] if key is not None else next(filter(None, self._slots), None)
        if found is None:
            self._learning.doubt()
            raise RefusedError("no node serves this key")
        return found

    def _node(self, address: Address) -> Node:
        if address not in self._nodes:
            self._nodes[address] = Node(self._server(address))
        return self._nodes[address]

    async def _on(self, address: Address, call: Callable[[Single], Awaitable[T]]) -> T:
        try:
            return await self._node(address).ask(call, self._slow_s)
        except BaseException as error:
            if not refused(error):
                self._learning.doubt()
            raise

    async def _part(self, address: Address, commands: list[Command], last: Command) -> tuple[list[Any], list[Any]]:
        """Replies of one node to its commands, and those to `last` of all nodes that had a part in them."""
        after = [last] if last else []
        found = await self._on(address, lambda server: server.replies([*commands, *after]))
        replies, lasts = found[: len(commands)], found[len(commands) :]
        for at, reply in enumerate(replies):
            if isinstance(reply, AskError):
                replies[at], *more = await self._redirected(address, reply, [commands[at], *after])
                lasts += more
        return all_of(replies), all_of(lasts)

    async def _redirected(self, asked: Address, error: AskError, commands: list[Command]) -> list[Any]:
        """Replies of the node that another one named, once for now (ASK) or from here on (MOVED)."""
        address = (str(error.host) or asked[0], int(error.port))
        if isinstance(error, MovedError):
            self._slots[error.slot_id] = address
            self._learning.doubt()
            return all_of(await self._on(address, lambda server: server.replies(commands)))
        return all_of(await self._on(address, lambda server: server.replies([("ASKING",), *commands])))[1:]

    async def _learn(self) -> None:
        known = [address for address in self._nodes if address not in self._seeds]
        asked = [*random.sample(known, min(ASKED, len(known))), *self._seeds]
        await first([self._ask(address) for address in asked], self._ask_s)

    async def _ask(self, address: Address) -> None:
        reply = await self._node(address).server.execute(("CLUSTER", "SLOTS"))
        self._slots = _layout(reply, address[0])
        gone = set(self._nodes) - set(self._slots) - set(self._seeds)
        for node in [self._nodes.pop(one) for one in gone]:
            await node.server.close()


def _layout(reply: Any, asked: str) -> Slots:
    """From the reply to CLUSTER SLOTS; a node without a name is the one at the address that was `asked`.

    Raises:
        Exception: it is no such reply, or no slot is served.
    """
    slots: Slots = [None] * SLOTS
    for start, end, (host, port, *_), *_ in reply:
        if not 0 <= start <= end < SLOTS:
            raise ValueError("no such slots")
        name = asked if host in (None, b"", b"?") else host.decode()
        slots[start : end + 1] = [(name, int(port))] * (end + 1 - start)
    if not any(slots):
        raise RefusedError("the cluster serves no slots")
    return slots


def _key(command: Command) -> bytes | None:
    place = 3 if command[0] in SCRIPTED else 1
    if len(command) <= place:
        return None
    return _bytes(command[place])


def _bytes(argument: Argument) -> bytes:
    return argument if isinstance(argument, bytes) else str(argument).encode()


def _flat(parts: Iterable[tuple[list[Any], list[Any]]], side: int) -> list[Any]:
    return [reply for part in parts for reply in part[side]]
