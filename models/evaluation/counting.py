"""What a search asked of its engine, counted call by call: prefixes expanded, children rewarded, leaves corrected."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.metrics import F64
from service.engine.protocol import F16, F32, I32, Beams, Context, Engine, Pruned, Voted
from service.search.csr import Trie
from service.search.legality import Banned

if TYPE_CHECKING:
    from models.evaluation.ranking import Method

LONGEST = 512  # histories beyond count as this long


@dataclass(frozen=True)
class Counts:
    """Sums over requests by level and length of history, f64 [d,L]; filler counts nothing.

    beams: prefixes expanded; rewarded: children that the PRM scored; voted: children that the further heads scored;
    calls: how often they were asked; corrected: leaves, all at the last level.
    """

    beams: F64
    rewarded: F64
    voted: F64
    calls: F64
    corrected: F64

    @staticmethod
    def none(depth: int) -> "Counts":
        """Of nothing yet."""
        return Counts(*(np.zeros((depth, LONGEST + 1)) for _ in fields(Counts)))


@dataclass
class Counting:
    """The engine, every call passed on and counted for the method that is running."""

    engine: Engine
    counts: dict[str, Counts] = field(default_factory=dict)
    running: str = ""

    def __post_init__(self) -> None:
        self.depth, self.model_version = self.engine.depth, self.engine.model_version
        self.providers, self.pool, self.voters = self.engine.providers, self.engine.pool, self.engine.voters

    @property
    def trie(self) -> Trie:
        return self.engine.trie

    def starting(self, method: "Method") -> None:
        """What follows is done for this method."""
        self.running = method.name
        self.counts.setdefault(method.name, Counts.none(self.depth))

    def encode(self, codes: I32, items: I32, lengths: I32) -> F16:
        return self.engine.encode(codes, items, lengths)

    def context(self, memory: F16, lengths: I32, banned: Sequence[Banned], history: I32 | None = None) -> Context:
        return self.engine.context(memory, lengths, banned, history)

    def take(self, context: Context, rows: Sequence[int]) -> Context:
        return self.engine.take(context, rows)

    def root(self, batch: int) -> Beams:
        return self.engine.root(batch)

    def beams(self, node: I32, log_prob: F32) -> Beams:
        return self.engine.beams(node, log_prob)

    def expand(self, context: Context, beams: Beams, level: int, k_plus: int) -> Beams:
        self._add(self._now.beams[level], context, _legal(beams))
        return self.engine.expand(context, beams, level, k_plus)

    def prune(self, context: Context, children: Beams, level: int, k_keep: int, weight: float) -> Pruned:
        self._add(self._now.rewarded[level], context, _legal(children))
        return self.engine.prune(context, children, level, k_keep, weight)

    def correct(self, context: Context, leaves: Pruned, k_keep: int) -> Pruned:
        self._add(self._now.corrected[-1], context, _legal(leaves.kept))
        return self.engine.correct(context, leaves, k_keep)

    def vote(self, context: Context, children: Beams, level: int) -> Voted:
        self._add(self._now.voted[level], context, _legal(children))
        self._add(self._now.calls[level], context, np.ones(context.batch))
        return self.engine.vote(context, children, level)

    def scan(self, context: Context, k: int) -> tuple[I32, F32] | None:
        return self.engine.scan(context, k)

    @property
    def _now(self) -> Counts:
        return self.counts[self.running]

    def _add(self, total: F64, context: Context, counted: NDArray[np.floating]) -> None:
        np.add.at(total, np.minimum(context.lengths, LONGEST), counted)


def _legal(beams: Beams) -> F64:
    """[B]: how many are no filler."""
    legal: F64 = np.isfinite(beams.log_prob.numpy()).sum(1).astype(np.float64)
    return legal
