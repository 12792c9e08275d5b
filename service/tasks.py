"""One request on its way over the device thread: what goes in, what comes out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from service.budget.ladder import Choice
from service.engine.protocol import F16, I32
from service.explain import LevelTrace, PathStep
from service.search.guided import Deadline
from service.search.legality import Banned
from service.search.plan import Rule
from service.search.spent import LevelSpent
from service.search.verification import RuleCheck


@dataclass(frozen=True)
class Task:
    """One request: history rows [T], the key of their encoding [T,D] and, if cached, the encoding; what to leave out.

    `choice` None: the budget decides after level 1, within the bounds.
    """

    rows: I32
    key: bytes
    memory: F16 | None
    banned: Banned
    k: int
    choice: Choice | None
    strategy: str
    rule: Rule | None
    lowest: str | None
    highest: str | None
    explain: bool
    deadline: Deadline


class Scored(NamedTuple):
    """One recommended row. log_prob is None after a scan, reward None on a plain beam, path only when explained."""

    row: int
    score: float
    log_prob: float | None = None
    reward: float | None = None
    path: tuple[PathStep, ...] | None = None


@dataclass(frozen=True)
class Outcome:
    """Rows best first, what was chosen and spent, seconds per stage (of the whole batch: it is what one waited for).

    `memory` [T,D] only where it was encoded just now. An exact scan is the PRM's work and counts as `prune`, what an
    explanation takes as `items`. `broken`: items that were left out, by the rule they broke. levels and checks only
    where an explanation was asked for, `levels` of a search.
    """

    items: tuple[Scored, ...]
    choice: Choice
    memory: F16 | None
    seconds: dict[str, float]
    batch: int
    spent: tuple[LevelSpent, ...] = ()
    degraded: bool = False
    levels: tuple[LevelTrace, ...] | None = None
    broken: Mapping[str, int] = field(default_factory=dict)
    checks: tuple[RuleCheck, ...] | None = None


class Reply(Protocol):
    """One request of the batch: its task, and whom to tell."""

    job: Task

    def deliver(self, value: Outcome) -> None: ...


class Encodings(Protocol):
    """What this process already encoded, asked and told from the device thread."""

    def peek(self, key: bytes, model: str) -> F16 | None: ...

    def keep(self, key: bytes, memory: F16, model: str) -> None: ...

    def key(self, model: str, codes: I32, items: I32) -> bytes: ...
