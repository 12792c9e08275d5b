"""Wrong admin tokens, by the address they come from: whoever guesses is slowed, everybody else is not."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable

from service.api.quota import TokenBucket
from service.errors import AttemptsError

BURST, EVERY_S = 10, 6.0  # wrong tokens at once; then one every so many seconds
ADDRESSES = 1024  # remembered, some 300 bytes each; the one that tried longest ago is forgotten first


class Attempts:
    """`clock` in seconds, monotonic. The address is that of the connection: no header has a say in it.

    Callers without one (None: a local socket) are not slowed, for they could not be told apart.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tried: OrderedDict[str, TokenBucket] = OrderedDict()

    def check(self, address: str | None) -> None:
        """Before a token is looked at.

        Raises:
            AttemptsError: too many were wrong. Right or wrong, the next one is not looked at yet.
        """
        tried = self._tried.get(address) if address else None
        if tried is not None and (wait_s := tried.wait_s(self._clock())):
            raise AttemptsError("Too many wrong admin tokens came from this address.", math.ceil(wait_s))

    def failed(self, address: str | None) -> None:
        """A token was wrong."""
        if not address:
            return
        now = self._clock()
        self._tried.setdefault(address, TokenBucket(1 / EVERY_S, BURST, now)).take(now)
        self._tried.move_to_end(address)
        if len(self._tried) > ADDRESSES:
            self._tried.popitem(last=False)
