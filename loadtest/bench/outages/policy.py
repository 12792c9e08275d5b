"""A caller with several replicas to ask, and the retry policy that the outage table is about."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from loadtest.client import Client, ClientError, Reply
from loadtest.seconds import SHED

TRIES = "x-tries"  # header put on a reply: how often it was asked for
NOT_NOW = (502, SHED, 504)


@dataclass(frozen=True)
class Policy:
    """How a request is tried again, and how long it may take in all.

    A try ends after `try_s`, with another replica next; so it does on a refused connection, on a status of NOT_NOW, and
    on a 500 that is not the service's own: a proxy tells so of a replica that died.
    A request that was sent and got no reply is sent `resent` times more at most: it may be what ended the replica.
    Once all replicas were asked, the next round waits `pause_s`, doubling up to `longest_s`. A replica that gave no
    reply is passed over for `shunned_s` while there are others.
    """

    whole_s: float = 2.0
    try_s: float = 0.5
    resent: int = 1
    pause_s: float = 0.05
    longest_s: float = 1.0
    shunned_s: float = 1.0

    def __str__(self) -> str:
        again = "for as long" if self.resent > 1000 else f"{self.resent} time more"
        return (
            f"a try waits {self.try_s:g} s, tries go on for {self.whole_s:g} s, the other replica first,"
            f" then pauses from {self.pause_s:g} s to {self.longest_s:g} s; sent and unanswered: {again}"
        )


READS = Policy()
PATIENT = Policy(whole_s=6.0, try_s=3.0)  # a proxy of Ray keeps a request until it knows that a node is dead
EVENTS = Policy(whole_s=20.0, resent=10_000, pause_s=0.1)  # an outbox at the caller; sending events again is safe


class NotReadyError(ClientError):
    """The last reply was a status of NOT_NOW; it is kept."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"status {reply.status} to the last try.")
        self.reply = reply


class Replicas(Client):
    """A client of several servers: each request goes to the next one in turn. Its header TRIES counts the tries."""

    def __init__(self, urls: Sequence[str], reads: Policy = READS, events: Policy = EVENTS) -> None:
        super().__init__(urls[0])
        self._reads, self._events = reads, events
        self._clients = [_Replica(url, reads.try_s) for url in urls]
        self._shunned = [0.0] * len(urls)  # until when, on the monotonic clock
        self._turn = 0

    async def send(self, request: bytes) -> Reply:
        """The first reply that is none of NOT_NOW, else the last one.

        Raises:
            ClientError: no reply to any try that the policy allows.
        """
        policy = self._events if request.startswith(b"POST /events") else self._reads
        began, tries, unanswered, pause_s = time.monotonic(), 0, 0, policy.pause_s
        asked: set[int] = set()
        last: ClientError = ClientError("no try was made.")
        while time.monotonic() - began < policy.whole_s:
            tries += 1
            at = self._next(asked)
            asked.add(at)
            try:
                reply = await self._ask(at, request)
            except _RefusedError as error:
                last = error
            except ClientError as error:
                unanswered, last = unanswered + 1, error
            else:
                if not _not_now(reply):
                    return _counted(reply, tries)
                last = NotReadyError(_counted(reply, tries))
            if unanswered > policy.resent:
                break
            if len(asked) == len(self._clients):
                await asyncio.sleep(pause_s)
                asked, pause_s = set(), min(policy.longest_s, 2 * pause_s)
        if isinstance(last, NotReadyError):
            return last.reply
        raise ClientError(f"{str(last).rstrip('.')}, after {tries} tries.")

    async def open(self, connections: int) -> None:
        """So many to each replica that accepts them."""
        for client in self._clients:
            with suppress(ClientError):
                await client.open(connections)

    def close(self) -> None:
        for client in self._clients:
            client.close()

    def _next(self, asked: set[int]) -> int:
        """In turns, those not asked yet; one that gave no reply only where there is no other."""
        self._turn += 1
        now, every = time.monotonic(), len(self._clients)
        order = [(self._turn + step) % every for step in range(every)]
        fresh = [at for at in order if at not in asked]
        return next((at for at in fresh if self._shunned[at] <= now), fresh[0])

    async def _ask(self, at: int, request: bytes) -> Reply:
        try:
            return await self._clients[at].send(request)
        except ClientError:
            self._shunned[at] = time.monotonic() + self._reads.shunned_s
            raise


class _RefusedError(ClientError):
    """The request was never sent."""


class _Replica(Client):
    """Tells a request that was never sent from one that got no reply."""

    async def _connect(self) -> Any:
        try:
            return await super()._connect()
        except ClientError as error:
            raise _RefusedError(str(error)) from None


def _not_now(reply: Reply) -> bool:
    foreign = not reply.headers.get("content-type", "").startswith("application/problem+json")
    return reply.status in NOT_NOW or (reply.status == 500 and foreign)


def _counted(reply: Reply, tries: int) -> Reply:
    return Reply(reply.status, {**reply.headers, TRIES: str(tries)}, reply.body)
