"""A batch of encodings on the device: what the context graph made of it, and what the later graphs take from there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from models.contract import prm_contexts
from service.engine.protocol import F32, I32

I64 = NDArray[np.int64]
Put = Callable[[NDArray[Any]], Any]

HIDDEN = np.float32(-1e9)  # added to a logit that must not count


@dataclass(frozen=True, eq=False)
class Opened:
    """Inputs of the generators, and of the PRM per level; the first level on the host.

    log_prob and reward f32 [B,W1] of the root's children, log_prob -inf where one is illegal.
    """

    decoder: Mapping[str, Any]
    prm: tuple[Mapping[str, Any], ...]
    log_prob: F32
    reward: F32

    @classmethod
    def of(
        cls, made: Mapping[str, Any], depth: int, mask: Any, banned: Any, slot: Any, log_prob: F32, reward: F32
    ) -> Self:
        """Sort what the context graph made, by name: the inner PRM's contexts by level, the cross form's for all."""
        decoder = {name: value for name, value in made.items() if name.startswith("decoder_")}
        prm: tuple[Mapping[str, Any], ...] = tuple({"prm_context": made[x]} for x in prm_contexts(depth) if x in made)
        if not prm:
            prm = ({"mask": mask} | {name: x for name, x in made.items() if name.startswith("prm_")},) * depth
        return cls(decoder | {"mask": mask, "banned": banned, "slot": slot}, prm, log_prob, reward)

    def take(self, rows: list[int], put: Put) -> "Opened":
        """These requests of the batch. All share one buffer of what is banned: a slot says whose part is whose."""

        def part(state: Mapping[str, Any]) -> dict[str, Any]:
            return {name: x if name == "banned" else put(x.numpy()[rows]) for name, x in state.items()}

        once = {id(state): state for state in self.prm}  # the cross form has one state for all levels
        taken = {key: part(state) for key, state in once.items()}
        prm = tuple(taken[id(state)] for state in self.prm)
        return Opened(part(self.decoder), prm, self.log_prob[rows], self.reward[rows])


def mask_of(lengths: I32, longest: int) -> F32:
    """[B,1,1,T]: 0 on the first `lengths` positions, HIDDEN beyond."""
    if len(lengths) == 1 and lengths[0] == longest:
        return np.zeros((1, 1, 1, longest), np.float32)
    outside = np.arange(longest) >= lengths[:, None]
    return (outside * HIDDEN)[:, None, None]


def last_of(lengths: I32) -> I64:
    """[B,1]: where a history's newest item is."""
    return lengths[:, None].astype(np.int64) - 1
