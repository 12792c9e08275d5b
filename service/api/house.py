"""What the connections of one process share: who may come in, and what those are told who may not."""

import asyncio
import time
from collections import Counter

from service.api.connections import Connections
from service.api.express import Express
from service.api.gate import PATHS, refusal, unheard
from service.api.refusals import Refusals
from service.api.state import State
from service.errors import PromiseError

SHARE = 8  # one part in so many of the places may wait for the same answer, once half of them are taken
REST_S = 0.002
OTHER_DOCUMENTS = b"/v2"  # the inference protocol has errors of its own: the framework's gate refuses there
ASKING = frozenset(path.encode() for path in PATHS)
Headers = list[tuple[bytes, bytes]]


class House:
    """From the event loop only. `quick`: refuse before the framework is asked; spans of refusals need its way."""

    def __init__(self, state: State, book: Connections, quick: bool = True) -> None:
        self.state, self.book, self.quick = state, book, quick
        self.refusals = Refusals(state)
        self._express = Express(state.admission, self.refusals)
        self._passed = 0
        self._resting = False
        self._same = Counter[int]()

    def at_sight(self, data: bytes, server: Headers, loop: asyncio.AbstractEventLoop) -> bytes | None:
        """The refusal of what came on a connection that was at rest, if all places are taken and it is as usual.

        `server`: the headers that every answer has.
        """
        admission = self.state.admission
        if not self.quick or admission.active + self._passed < admission.limit or self.state.is_draining():
            return None
        answer = self._express.refusal(data, server)
        if answer is not None:
            self._rest_soon(loop)
        return answer

    def refusal(
        self, url: bytes, method: bytes, headers: Headers, loop: asyncio.AbstractEventLoop
    ) -> PromiseError | None:
        """Why not to read a request whose head is here, if there is a reason."""
        if method == b"POST" and url in ASKING:
            error = refusal(self.state, dict(reversed(headers)), self._passed)
            if error is not None:
                self._rest_soon(loop)
            return error
        if url.startswith(OTHER_DOCUMENTS):
            return None
        return unheard(self.state, url.partition(b"?")[0].decode("latin-1"))

    def passed(self, body: int, loop: asyncio.AbstractEventLoop) -> PromiseError | None:
        """Note a recommendation that starts, by the hash of its body; or why it may not.

        A user whom hundreds ask for must not take the places of all others.
        """
        admission = self.state.admission
        if 2 * (admission.active + self._passed) >= admission.limit <= SHARE * self._same[body]:
            return admission.repeated()
        if not self._passed:
            loop.call_soon(self._arrived)
        self._passed += 1
        self._same[body] += 1
        return None

    def left(self, body: int) -> None:
        """One that was noted is over."""
        self._same[body] -= 1
        if not self._same[body]:
            del self._same[body]

    def tick(self) -> None:
        """About once a second."""
        self.book.sweep()
        self.refusals.tell()

    def _rest_soon(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._resting:
            self._resting = True
            loop.call_soon(self._rest)

    def _rest(self) -> None:
        """Let more of them come before the next are refused: waking for each takes the core from the device."""
        self._resting = False
        if self.state.admission.full:
            time.sleep(REST_S)

    def _arrived(self) -> None:
        """What passed in this turn of the loop has come to the gate, which counts for itself."""
        self._passed = 0
