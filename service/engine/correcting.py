"""The correction over a bundle: the best leaves ranked anew by what they have to do with the items of the history."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.manifest import Correction
from service.engine.bundle import Bundle
from service.engine.protocol import F32, I32, Beams, Context, HostTensor, Pruned
from service.engine.sessions import Graph

Put = Callable[[NDArray[Any]], Any]


class GraphCorrection:
    """contract.CORRECTION with the bundle's relations bound. Called from the engine's thread."""

    def __init__(self, graph: Graph, shape: Correction, put: Put) -> None:
        self._graph, self._shape, self._put = graph, shape, put
        self._places: Callable[[int], Any] = lru_cache(maxsize=256)(lambda count: put(_places(count)))
        self._ages: Callable[[int], Any] = lru_cache(maxsize=256)(lambda count: put(np.arange(count, dtype=np.int32)))

    def __call__(self, context: Context, leaves: Pruned, k_keep: int, count: Any) -> Pruned:
        """The k_keep of these leaves, given best reward first, with the highest corrected reward.

        count: k_keep as the graph takes it, int64 [1].

        Raises:
            ValueError: the context came without the histories' items.
        """
        history = self._history(context)
        feeds = {
            "node": self._device(leaves.kept.node),
            "log_prob": self._device(leaves.kept.log_prob),
            "reward": self._device(leaves.reward),
            "chosen": self._device(leaves.order),
            "place": self._places(leaves.kept.width),
            "age": self._ages(history.shape[1]),
            "history": self._put(history),
            "k_keep": count,
        }
        order, node, log_prob, reward = self._graph(feeds)
        return Pruned(Beams(node, log_prob, k_keep), order, reward, leaves.all_rewards)

    def _history(self, context: Context) -> I32:
        if context.history is None:
            raise ValueError("this bundle corrects by the items of the history, which the context was not given")
        return context.history[:, : self._shape.newest]

    def _device(self, tensor: Any) -> Any:
        return self._put(tensor.numpy()) if isinstance(tensor, HostTensor) else tensor


def relations(bundle: Bundle) -> dict[str, NDArray[Any]]:
    """What the graph reads of the whole catalogue: the relations, and the item row of every node.

    Inner nodes, and items that came after training, have row 0: nothing is known of them.
    """
    item = np.zeros(bundle.trie.nodes, np.int32)
    rows = bundle.trie.leaf_row.astype(np.int32)
    item[bundle.trie.first_leaf :] = np.where(rows <= bundle.catalogue.learned, rows, 0)
    return {"item": item, **bundle.relations}


def _places(count: int) -> F32:
    places: F32 = np.log(np.arange(1, count + 1, dtype=np.float32))[None]
    return places
