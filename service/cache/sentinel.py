"""A primary that sentinels name: found before the first command, and again when it fails or is no primary any more."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from redis.exceptions import ConnectionError as RefusedError

from service.cache.learning import ASK_S, Learning
from service.cache.single import Address, Command, Single, refused

T = TypeVar("T")


class Sentinel:
    """Commands to the primary called `name`; `server` makes the way to an address.

    All sentinels are asked at once. The primary is the address that most of them name; where no most agree in time,
    the one named most often, and in either case one that says of itself that it is a primary.
    """

    def __init__(
        self, sentinels: Sequence[Single], name: str, server: Callable[[Address], Single], timeout_s: float
    ) -> None:
        self._sentinels, self._name, self._server = sentinels, name, server
        self._ask_s = max(ASK_S, timeout_s)
        self._address: Address | None = None
        self._primary: Single | None = None
        self._learning = Learning(self._learn)

    async def execute(self, command: Command) -> Any:
        return await self._watched(self._present().execute(command))

    async def pipeline(self, commands: Sequence[Command], last: Command = ()) -> list[Any]:
        return await self._watched(self._present().pipeline(commands, last))

    async def open(self) -> None:
        await self._learning.known()

    async def reset(self) -> None:
        await self._learning.forget()
        for server in self._servers():
            await server.reset()

    async def close(self) -> None:
        await self._learning.forget()
        for server in self._servers():
            with suppress(Exception):
                await server.close()

    def _servers(self) -> list[Single]:
        return [*self._sentinels, *([self._primary] if self._primary else [])]

    def _present(self) -> Single:
        if self._primary is None:
            raise RefusedError("no primary is known")
        return self._primary

    async def _watched(self, reply: Awaitable[T]) -> T:
        try:
            return await reply
        except BaseException as error:  # a command that takes too long ends by being cancelled
            if not refused(error):
                self._learning.doubt()
            raise

    async def _learn(self) -> None:
        failed: Exception = RefusedError("no sentinel names a primary")
        for address in await self._named():
            try:
                return await self._settle(address)
            except Exception as error:
                failed = error
        raise failed

    async def _named(self) -> list[Address]:
        """What the sentinels say, most often first; as soon as most agree, that alone."""
        votes, found = [asyncio.ensure_future(self._vote(one)) for one in self._sentinels], Counter[Address]()
        try:
            for vote in asyncio.as_completed(votes, timeout=self._ask_s / 2):
                with suppress(Exception):
                    found[address := await vote] += 1
                    if 2 * found[address] > len(votes):
                        return [address]
        finally:
            for task in votes:
                task.cancel()
            await asyncio.gather(*votes, return_exceptions=True)
        return [address for address, _ in found.most_common()]

    async def _vote(self, sentinel: Single) -> Address:
        host, port = await sentinel.execute(("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._name))
        return host.decode(), int(port)

    async def _settle(self, address: Address) -> None:
        """Use this address from here on, if it says that it is a primary."""
        known = self._primary if address == self._address else None
        server = known or self._server(address)
        try:
            async with asyncio.timeout(self._ask_s):
                role = await server.execute(("ROLE",))
            if role[0] != b"master":
                raise RefusedError("the sentinels name a replica")
        except BaseException:
            if known is None:
                await server.close()
            raise
        before, self._primary, self._address = self._primary, server, address
        if before not in (None, server):
            await before.close()
