"""Encodings that can grow: they keep what every layer of the encoder read beside the memory, so new items fit on."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import contract
from service.engine.protocol import F16, I32
from service.engine.sessions import Graph

STEP = 64  # items at a time: the attention of a step looks no further than its end


class GraphExtension:
    """service.engine.protocol.Extension over `extend.onnx`, of an encoder of so many layers and this width."""

    def __init__(self, graph: Graph, put: Callable[[NDArray[Any]], Any], layers: int, width: int) -> None:
        self._graph, self._put, self._parts, self._width = graph, put, layers + 1, width
        self._reads = contract.reads(layers)

    def encode(self, codes: I32, items: I32, before: F16 | None) -> F16:
        """Codes [T,d] and items [T], the encoding of the first of them if there is one → encoding [(L+1)*T,D]."""
        states = np.zeros((self._parts, 0, self._width), np.float16)
        if before is not None:
            states = before.reshape(self._parts, -1, self._width)
        for begin in range(states.shape[1], len(items), STEP):
            some = slice(begin, begin + STEP)
            feeds = {"codes": self._put(codes[None, some]), "items": self._put(items[None, some])}
            reads = {name: self._put(rows[None]) for name, rows in zip(self._reads, states[:-1], strict=True)}
            (made,) = self._graph(feeds | reads)
            new = made.numpy().reshape(self._parts, len(items[some]), self._width)
            states = np.concatenate([states, new], axis=1)
        return states.reshape(-1, self._width)

    def memory(self, encoding: F16) -> F16:
        """The memory [T,D] in an encoding [(L+1)*T,D]: its last rows."""
        return encoding[-(len(encoding) // self._parts) :]
