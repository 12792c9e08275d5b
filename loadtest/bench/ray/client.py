"""A caller of several nodes: every user has one of them, and another is asked where that one cannot answer.

The policy: a recommendation may be asked for again, since asking changes nothing that counts. No connection, a lost
one, no reply in time, 503, or an error 5xx that is no problem document (so Ray's proxy tells of a replica that died):
the next node is asked at once. When all have been asked, the caller waits as the last Retry-After says, one second
where none does, and begins anew. A request that `ROUNDS` rounds did not answer has failed.
"""

import zlib
from asyncio import sleep as _pause
from collections.abc import Sequence

from loadtest.client import Client, ClientError, Reply
from loadtest.seconds import SHED

ROUNDS = 3
SESSION = "X-Session-Id"
PROBLEM = "application/problem+json"
LONGEST_WAIT_S = 3.0


class Patient(Client):
    """Sends a request to the node that its bytes hash to, and on as the policy says. `again`: requests sent anew."""

    def __init__(self, urls: Sequence[str], timeout_s: float = 5.0) -> None:
        super().__init__(urls[0], timeout_s)
        self._nodes = [Client(url, timeout_s) for url in urls]
        self.again = 0

    async def send(self, request: bytes) -> Reply:
        """The first reply that ends the matter, else the last one.

        Raises:
            ClientError: the last try brought no reply.
        """
        first = preferred(request, len(self._nodes))
        turns = [(first + step) % len(self._nodes) for step in range(len(self._nodes))]
        last: Reply | ClientError = ClientError("no node was asked.")
        for number in range(ROUNDS):
            if number:
                await _pause(_wait_s(last))
            for node in turns:
                last = await self._try(node, request)
                if isinstance(last, Reply) and not repeatable(last):
                    return last
                self.again += 1
        self.again -= 1  # nobody came after the last
        if isinstance(last, ClientError):
            raise last
        return last

    async def open(self, connections: int) -> None:
        """Have this many idle connections to every node."""
        for node in self._nodes:
            await node.open(connections)

    def close(self) -> None:
        for node in self._nodes:
            node.close()

    async def _try(self, node: int, request: bytes) -> Reply | ClientError:
        try:
            return await self._nodes[node].send(request)
        except ClientError as error:
            return error


def preferred(request: bytes, nodes: int) -> int:
    """The node of a user: by the session header where there is one, else by the whole request."""
    _, found, rest = request.partition(f"{SESSION}: ".encode())
    return zlib.crc32(rest.partition(b"\r\n")[0] if found else request) % nodes


def repeatable(reply: Reply) -> bool:
    """Refused, or broken outside the service."""
    broken = reply.status >= 500 and not reply.headers.get("content-type", "").startswith(PROBLEM)
    return reply.status == SHED or broken


def _wait_s(last: Reply | ClientError) -> float:
    said = last.headers.get("retry-after", "") if isinstance(last, Reply) else ""
    return min(LONGEST_WAIT_S, float(said)) if said.isdigit() else 1.0
