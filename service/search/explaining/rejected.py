"""The strongest branch that a level did not keep, and by how much it lost."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.search import choosing
from service.search.csr import Trie
from service.search.explaining.influence import Moved, kept_at, legal
from service.search.guided import Step

F32 = NDArray[np.float32]
Places = NDArray[np.intp]


class Lost(NamedTuple):
    """`at`: its place among the level's children; its reward, and its score below that of the last one kept.

    Below 0 where a strategy kept by something else than the score.
    """

    at: int
    reward: float
    by: float


def rejected(trie: Trie, step: Step, weight: float, row: int = 0, moved: Moved | None = None) -> Lost | None:
    """The best-scored legal candidate of request `row` that was not kept, under this weight of the log-probability.

    Of leaves that a correction ranked anew, `moved` knows the list: whoever lost there lost by the corrected reward,
    whoever did not come so far by the score before it. None where everything was kept, or on a plain beam.
    """
    if step.pruned is None:
        return None
    log_prob, reward = step.children.log_prob.numpy()[row], step.pruned.all_rewards.numpy()[row]
    kept = np.zeros(len(log_prob), np.bool_)
    kept[kept_at(step.pruned, row)] = True
    known = legal(trie, step, row)
    if moved is not None and moved.weighed.corrected:
        reward, listed = reward.copy(), np.zeros(len(log_prob), np.bool_)
        listed[moved.weighed.at] = True
        if (listed & ~kept).any():
            reward[moved.weighed.at] = moved.reward
            return _lost(reward, reward, listed & kept, listed & ~kept)
        kept = listed
    return _lost(choosing.scores(reward, log_prob, weight), reward, known & kept, known & ~kept)


def _lost(score: F32, reward: F32, kept: NDArray[np.bool_], lost: NDArray[np.bool_]) -> Lost | None:
    places = np.flatnonzero(lost)
    if not len(places) or not kept.any():
        return None
    at = int(places[np.argmax(score[places])])
    return Lost(at, float(reward[at]), float(score[kept].min() - score[at]))
