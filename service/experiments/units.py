"""What one experiment remembers of each unit, and how many units are alike.

The state depends on the set of events only: not on their order, nor on how often each came. A unit belongs to the
bucket of its exposures and to the tier that served the earliest one; it has an outcome if the latest such event is not
before its first exposure, by whole seconds.

Memory: 130 to 160 bytes a unit (a 60-bit digest, 29 bytes of state, and what a dict adds, which grows in leaps).
"""

import struct
from collections import Counter
from hashlib import blake2b
from typing import NamedTuple

from service.experiments.records import EVENTS, NEVER

MAX_NAMES = 1000  # different buckets or tiers; more are not names but noise
_STATE = struct.Struct("<HHB6I")


class Group(NamedTuple):
    """Units that no report needs to tell apart: bit i of `outcomes` says whether they have EVENTS[i]."""

    bucket: str
    tier: str
    outcomes: int


class _State(NamedTuple):
    """Names as places in the tables of Units; `last` is the latest time of each of EVENTS, 0 where there is none."""

    bucket: int
    tier: int
    crossed: bool
    first: int
    last: tuple[int, ...]


class Units:
    """Every unit that was exposed or gave feedback, counted by group.

    Attributes:
        groups: how many exposed units are in each group. Read it, do not change it.
        crossed: exposed units that were seen in two buckets; no group holds them.
    """

    def __init__(self) -> None:
        self.groups: Counter[Group] = Counter()
        self.crossed = 0
        self._states: dict[int, bytes] = {}
        self._buckets: list[str] = []
        self._tiers: list[str] = []

    def __len__(self) -> int:
        return len(self._states)

    def __contains__(self, unit: str) -> bool:
        return _key(unit) in self._states

    def expose(self, unit: str, bucket: str, tier: str, second: int) -> bool:
        """The bucket's configuration acted on the unit, 0 < second < NEVER; False if there are too many names."""
        bucket_code, tier_code = _code(self._buckets, bucket), _code(self._tiers, tier)
        if bucket_code is None or tier_code is None:
            return False
        key, before = self._look_up(unit, bucket_code)
        earlier = second < before.first or (second == before.first and tier < self._tiers[before.tier])
        after = before._replace(
            tier=tier_code if earlier else before.tier,
            first=min(before.first, second),
            crossed=before.crossed or bucket_code != before.bucket,
        )
        self._put(key, before, after)
        return True

    def respond(self, unit: str, bucket: str, event: str, second: int) -> bool:
        """The unit, answered as this bucket, did one of EVENTS; False if there are too many names."""
        code = _code(self._buckets, bucket)
        if code is None:
            return False
        key, before = self._look_up(unit, code)
        last = tuple(max(old, second) if name == event else old for name, old in zip(EVENTS, before.last, strict=True))
        self._put(key, before, before._replace(last=last, crossed=before.crossed or code != before.bucket))
        return True

    def forget(self, unit: str) -> None:
        """As if there had never been an event of the unit."""
        packed = self._states.pop(_key(unit), None)
        if packed is not None:
            bucket, tier, crossed, first, *last = _STATE.unpack(packed)
            self._count(_State(bucket, tier, bool(crossed), first, tuple(last)), -1)

    def _look_up(self, unit: str, bucket: int) -> tuple[int, _State]:
        key = _key(unit)
        packed = self._states.get(key)
        if packed is None:
            return key, _State(bucket, 0, False, NEVER, (0,) * len(EVENTS))
        bucket, tier, crossed, first, *last = _STATE.unpack(packed)
        return key, _State(bucket, tier, bool(crossed), first, tuple(last))

    def _put(self, key: int, before: _State, after: _State) -> None:
        self._count(before, -1)
        self._count(after, 1)
        self._states[key] = _STATE.pack(*after[:4], *after.last)

    def _count(self, state: _State, units: int) -> None:
        if state.first == NEVER:
            return
        if state.crossed:
            self.crossed += units
            return
        outcomes = sum(1 << i for i, last in enumerate(state.last) if last >= state.first)
        self.groups[Group(self._buckets[state.bucket], self._tiers[state.tier], outcomes)] += units


def _key(unit: str) -> int:
    # 60 bits keep the integer small; a million units share one with probability 4e-7.
    return int.from_bytes(blake2b(unit.encode(errors="surrogatepass"), digest_size=8).digest(), "little") >> 4


def _code(names: list[str], name: str) -> int | None:
    """Place of the name in the table, which grows; None when it is full."""
    if name not in names:
        if len(names) == MAX_NAMES:
            return None
        names.append(name)
    return names.index(name)
