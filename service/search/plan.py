"""How wide a search is, level by level, and how it scores: what a tier of the ladder means to the search."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from service.engine.protocol import Beams, Context, Engine, Pruned
    from service.search.guided import Deadline, Found
    from service.search.pool import Pool
    from service.search.staged import FirstLevel

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]
Bool = NDArray[np.bool_]


@dataclass(frozen=True)
class Level:
    """One depth: expand to k_plus children, keep k_keep of them. With k_plus == k_keep the PRM only reorders."""

    k_keep: int
    k_plus: int


@dataclass(frozen=True)
class Rule:
    """score = reward + weight · log-probability, with one weight for items (leaf) and one for prefixes above them.

    Reward and log-probability are two estimates of one thing: to keep the right prefix their sum beats either, to
    rank the items that are left the reward alone does (figures in models/README.md).
    """

    leaf: float = 0.0
    prefix: float = 0.0


class Keeping(Protocol):
    """Another way to choose what a level keeps. Hashable: requests of equal plans run together."""

    def __call__(self, pool: "Pool") -> "Pruned": ...

    def at_least(self, k: int) -> "Keeping":  # noqa: ARG002 - for most the plan's widths are enough for k items
        """The same, for lists of k items."""
        return self

    def rewarded(self, engine: "Engine", context: "Context", children: "Beams", level: int, reward: F32) -> F32:  # noqa: ARG002 - most take the PRM's
        """What it takes for the reward of children, f32 [B,C], given the PRM's."""
        return reward


class Finishing(Protocol):
    """What is done once a first pass has found its leaves; `found` comes with all its steps. Hashable."""

    def __call__(
        self, engine: "Engine", context: "Context", found: "Found", plan: "Plan", k: int, hurry: Callable[[], bool]
    ) -> "Found":
        """At least as good a list of k; between passes it stops when `hurry()`."""
        ...


class Routing(Protocol):
    """Which of two plans every request takes, told by its first level. Hashable."""

    @property
    def cheap(self) -> "Plan":
        """The other plan."""
        ...

    def at_least(self, k: int) -> "Routing":
        """The same, its cheap plan wide enough to return k items."""
        ...

    def dear(self, first: "FirstLevel", code: I32) -> Bool:
        """bool [B]: those of the first level, of prefixes with codes [B,C], that the plan itself is worth it for."""
        ...

    def search(self, engine: "Engine", context: "Context", plan: "Plan", k: int, deadline: "Deadline") -> "Found":
        """Both ways through the batch, as `guided.search`."""
        ...


@dataclass(frozen=True)
class Plan:
    """Widths per depth, whether the PRM prunes, and the scoring rule.

    `depths`: the 0-based levels at which it prunes, all of them when None; the others keep their k_keep most probable
    children, as a plain beam does. `rescore`: the best leaves that the correction ranks anew, 0 = none; their score is
    the corrected reward alone. `keeping`, `finishing`, `routing`: where a strategy does otherwise than guided search.
    """

    levels: tuple[Level, ...]
    use_prm: bool = True
    rule: Rule = Rule()
    depths: tuple[int, ...] | None = None
    rescore: int = 0
    keeping: Keeping | None = None
    finishing: Finishing | None = None
    routing: Routing | None = None

    @staticmethod
    def uniform(
        depth: int, k_keep: int, k_plus: int, *, use_prm: bool = True, rule: Rule = Rule(), rescore: int = 0
    ) -> "Plan":
        """The same K' and K+ at every one of `depth` levels; a plain beam has K+ = K' and no PRM."""
        return Plan((Level(k_keep, k_plus),) * depth, use_prm, rule, rescore=rescore)

    def prunes(self, level: int) -> bool:
        """Does the PRM choose at this 0-based level?"""
        return self.use_prm and (self.depths is None or level in self.depths)

    def rescores(self, level: int) -> bool:
        """Does the correction rank what the PRM leaves of this 0-based level? A first level is chosen on the host."""
        return self.rescore > 0 and 0 < level == len(self.levels) - 1 and self.prunes(level)

    @property
    def leaf_weight(self) -> float:
        """Of the log-probability in the score of an item."""
        return 0.0 if self.rescores(len(self.levels) - 1) else self.rule.leaf

    def weight(self, level: int) -> float:
        """The scoring weight at a 0-based level."""
        return self.rule.leaf if level == len(self.levels) - 1 else self.rule.prefix

    def at_least(self, k: int) -> "Plan":
        """The same plan, wide enough to return k items: K' ≥ k at every level, K+ grown in proportion."""
        routing = self.routing.at_least(k) if self.routing else None
        keeping = self.keeping.at_least(k) if self.keeping else None
        levels = tuple(_widen(level, k) for level in self.levels)
        return replace(self, levels=levels, keeping=keeping, routing=routing)

    def hurried(self, k: int) -> "Plan":
        """What is left of the plan once the deadline has passed: a plain beam of k."""
        return replace(self, levels=(Level(k, k),) * len(self.levels), use_prm=False, keeping=None, finishing=None)


def _widen(level: Level, k: int) -> Level:
    if level.k_keep >= k:
        return level
    return Level(k, max(k, level.k_plus * k // level.k_keep))
