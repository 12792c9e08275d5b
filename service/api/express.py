"""Refusals at sight: while the house is full, what a flood sends is answered without taking it apart again.

A flood has few kinds of head and thousands of requests. A head that was read once is known by its hash, so that what
comes after it is a whole request or is not; anything else about a request goes the long way (service.api.wire).
"""

import random
import re
from collections.abc import Sequence

from service.api.admission import Admission
from service.api.gate import PATHS
from service.api.refusals import Refusals

END = b"\r\n\r\n"
LINE = re.compile(b"POST (%b) HTTP/1[.]1" % b"|".join(path.encode() for path in sorted(PATHS)))
FIELD = re.compile(rb"([A-Za-z0-9-]+): ?([\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)")
# What changes a refusal.
OTHERWISE = frozenset({b"x-request-id", b"connection", b"expect", b"transfer-encoding", b"upgrade"})
LONGEST, KNOWN = 1 << 12, 1 << 12  # bytes of a head, and how many of them are remembered
OWN = b"%032x"
PLACE = OWN % 0
NOTHING = (-1, "")  # no request ends before its head
Pair = tuple[bytes, bytes]


class Express:
    """From the event loop only. Hashes of heads are kept, not heads: they hold keys of callers."""

    def __init__(self, admission: Admission, refusals: Refusals) -> None:
        self._admission, self._refusals = admission, refusals
        self._known: dict[int, tuple[int, str]] = {}  # how long the body is, and the path
        self._ready: dict[tuple[str, str], tuple[bytes, ...]] = {}
        self._server: Sequence[Pair] = ()

    def refusal(self, data: bytes, server: Sequence[Pair]) -> bytes | None:
        """The whole answer to one whole request of a known kind, booked; None: it has to be read.

        `server`: the headers that every answer has, another list whenever they change.
        """
        end = data.find(END) + len(END)
        if not len(END) <= end <= LONGEST:
            return None
        length, path = self._of(data[:end])
        if len(data) != end + length or not self._refusals.untold_from_now:
            return None
        error = self._admission.taken()
        self._refusals.count(error)
        if server is not self._server:
            self._server = server
            self._ready.clear()
        retry = error.headers["Retry-After"]
        parts = self._ready.get((path, retry))
        if parts is None:
            whole = self._refusals.document(error, path, PLACE, server)
            parts = self._ready[path, retry] = tuple(whole.split(PLACE))
        return (OWN % random.getrandbits(128)).join(parts)

    def _of(self, head: bytes) -> tuple[int, str]:
        key = hash(head)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= KNOWN:
                self._known.clear()
            found = self._known[key] = kind(head)
        return found


def kind(head: bytes) -> tuple[int, str]:
    """Length of the body and path, of a head that says nothing that would change a refusal; NOTHING of any other."""
    first, *rest = head[: -len(END)].split(b"\r\n")
    line, fields = LINE.fullmatch(first), [FIELD.fullmatch(one) for one in rest]
    if line is None:
        return NOTHING
    named = [(one[1].lower(), one[2]) for one in fields if one is not None]
    lengths = [value for name, value in named if name == b"content-length"]
    if len(named) < len(fields) or len(lengths) != 1 or OTHERWISE.intersection(name for name, _ in named):
        return NOTHING
    return (int(lengths[0]), line[1].decode()) if lengths[0].isdigit() else NOTHING
