"""The rows of a flood run: what attacks, and what must hold meanwhile."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Told = Mapping[str, int]
Bar = Callable[[Told], str]


@dataclass(frozen=True)
class Row:
    """An attack by name, its connections, how long it must last to show anything, whether it asks a request.

    `growth_mb`: what resident memory may gain while it lasts. `bar`: why what the attacker was told is not good enough,
    or nothing.
    """

    title: str
    attack: str
    connections: int
    growth_mb: float
    bar: Bar
    least_s: float = 0.0
    share: float = 0.9


def _nothing(_: Told) -> str:
    return ""


def _dripping(told: Told) -> str:
    slowest = told.get("longest ms", 0)
    return "" if told.get("408") and slowest < 13_000 else f"a request was dripped for {slowest} ms"


def _unread(told: Told) -> str:
    return "" if told.get("cut", 0) + told.get("reset", 0) else "who does not read was never cut off"


def _large(told: Told) -> str:
    others = {name: count for name, count in told.items() if name != "413"}
    return "" if told.get("413") and not others else f"bodies of 5 MB were answered with {dict(told)}"


def _many(told: Told) -> str:
    asked = sum(told.get(name, 0) for name in ("200", "503"))
    return (
        "" if asked >= 0.99 * told.get("opened", 0) > 0 else f"of {told.get('opened', 0)} that asked {asked} were told"
    )


def _answered(told: Told) -> str:
    others = {name: count for name, count in told.items() if name not in ("200", "503")}
    return f"other than answered or refused: {others}" if sum(others.values()) > sum(told.values()) / 1000 else ""


ROWS: Mapping[str, Row] = {
    "hot-user": Row("one user, 300 callers", "hot", 300, 30, _answered),
    "slow-heads": Row("slow-loris, heads on 400 connections", "heads", 400, 30, _dripping, 15),
    "slow-bodies": Row("slow-loris, bodies on 400 connections", "bodies", 400, 30, _dripping, 15),
    "slow-readers": Row("200 callers who never read 12 large answers", "readers", 200, 60, _unread, 15),
    "large-bodies": Row("bodies of 5 MB on 20 connections", "large", 20, 30, _large),
    "connections": Row("10,000 connections, idle, then asking", "many", 10_000, 250, _many, 20),
    "churn": Row("a connection for every request, 32 at a time", "churn", 32, 30, _answered),
}
