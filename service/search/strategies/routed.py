"""Two plans behind one first level: a request takes the dear one where a router expects it to pay.

Arbitrage (arXiv 2512.05033): a small trained network predicts the advantage of the expensive model's step over the
cheap one's, and a threshold on it is the knob between quality and load.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from service.engine.protocol import Context, Engine
from service.search.guided import Deadline, Found
from service.search.plan import Level, Plan
from service.search.staged import FirstLevel, begin, descend, first_level
from service.search.strategies.parts import Part, together

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]
Bool = NDArray[np.bool_]

LEAST = 10  # prefixes that a cheaper plan keeps, if the dear one keeps as many


@dataclass(frozen=True, eq=False)
class Router:
    """What the dear plan is expected to gain over the cheap one, told by the first level: a trained gauge.

    advantage: (log_prob f32 [B,C], -inf = filler; reward f32 [B,C], None where no PRM was asked; first code int32
    [B,C]) → f32 [B] in 0 .. 1. Two routers are one only if they are the same object, so that plans can be hashed.
    """

    advantage: Callable[[F32, F32 | None, I32], F32]


@dataclass(frozen=True)
class Routed:
    """The `cheap` plan below the threshold, the plan itself from there on; 0 = always the plan, above 1 = never."""

    cheap: Plan
    router: Router
    threshold: float

    def at_least(self, k: int) -> "Routed":
        """The same, its cheap plan wide enough to return k items."""
        return replace(self, cheap=self.cheap.at_least(k))

    def dear(self, first: FirstLevel, code: I32) -> Bool:
        """bool [B]: the requests of this first level, of prefixes with codes [B,C], that the plan is worth it for."""
        return self.router.advantage(first.log_prob, first.reward, code) >= self.threshold

    def search(self, engine: Engine, context: Context, plan: Plan, k: int, deadline: Deadline) -> Found:
        """Both ways through the batch, each request's list in its row; as `service.search.plan.Routing`."""
        plan = replace(plan, routing=None)
        prunes = plan.prunes(0) or self.cheap.prunes(0)
        first = first_level(engine, context, engine.trie.branching(0), prunes, deadline.clock)
        dear = self.dear(first, engine.trie.code[first.children.node.numpy()])
        deadlines, parts = [deadline] * context.batch, list[Part]()
        for chosen, rows in ((plan, np.flatnonzero(dear)), (self.cheap, np.flatnonzero(~dear))):
            if len(rows):
                group = begin(engine, context, first, rows.tolist(), chosen, k)
                parts += descend(engine, context, group, deadlines, deadline.clock)
        return together(parts, context.batch)


def cheaper(plan: Plan, by: int = 4) -> Plan:
    """The plan with K' and K+ divided at every level, K' to no less than LEAST."""
    levels = [(max(level.k_keep // by, min(LEAST, level.k_keep)), level.k_plus // by) for level in plan.levels]
    return replace(plan, levels=tuple(Level(keep, max(keep, plus)) for keep, plus in levels), routing=None)
