"""What the benchmark of long histories times: one user's encoding made whole, or extended from what was kept of it.

Everything between "bytes in the cache" and "memory on the host" is inside: decode with its checksum, put on the device,
graph, append. All of it runs in the calling thread.
"""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from loadtest.bench.histories_sizes import ARRAYS, EXTEND, KEYS_VALUES, WHOLE, Shape
from models.contract import GraphSignature
from service.cache import codec
from service.engine.sessions import Graph, put

F16 = NDArray[np.float16]
I32 = NDArray[np.int32]
MODEL, KEY = "bench", b"promise:h:bench:0"
STEP = 64  # items at a time where a history is encoded from nothing by the graph that extends
FED = {"codes", "items", "item_rows"}


class Encoder:
    """Three graphs of one network on the CPU, one thread; batch 1."""

    def __init__(self, folder: Path, shape: Shape) -> None:
        with np.load(folder / ARRAYS) as arrays:
            self.sids, rows = arrays["sids"], put(arrays["item_rows"], "cpu")
        self.shape = shape
        self._whole, self._more, self._pasts = (_open(folder / name, rows) for name in (WHOLE, EXTEND, KEYS_VALUES))

    def whole(self, items: I32) -> F16:
        """All items at once [T] → memory [T,D]."""
        memory: F16 = self._whole(self._feeds(items))[0].numpy()[0]
        return memory

    def in_steps(self, items: I32) -> F16:
        """All items [T], STEP at a time → states [L+1,T,D]."""
        states = np.zeros((self.shape.layers + 1, 0, self.shape.width), np.float16)
        for begin in range(0, len(items), STEP):
            states = self.extend(states, items[begin : begin + STEP])
        return states

    def extend(self, states: F16, items: I32) -> F16:
        """States of the items before [L+1,T0,D] and new items [N] → states of all [L+1,T0+N,D]; the last is memory."""
        before = {name: put(rows[None], "cpu") for name, rows in zip(self._reads, states[:-1], strict=True)}
        made = self._more(self._feeds(items) | before)[0].numpy()
        return np.concatenate([states, made.reshape(len(states), len(items), -1)], axis=1)

    def append(self, pasts: F16, memory: F16, items: I32) -> tuple[F16, F16]:
        """The same over keys and values [2L,H,T0,X] and memory [T0,D]."""
        before = {name: put(part[None], "cpu") for name, part in zip(self._keys_values, pasts, strict=True)}
        newest, *made = (part.numpy() for part in self._pasts(self._feeds(items) | before))
        return np.concatenate([pasts, np.concatenate(made)], axis=2), np.concatenate([memory, newest[0]])

    def unpack(self, packed: bytes) -> F16:
        """Cached bytes → states [L+1,T,D]."""
        return unpacked(packed).reshape(self.shape.layers + 1, -1, self.shape.width)

    def unpack_pasts(self, packed: bytes) -> tuple[F16, F16]:
        """Cached bytes → keys and values [2L,H,T,X], memory [T,D]."""
        shape, flat = self.shape, unpacked(packed).reshape(-1)
        each = shape.heads * shape.head_width
        length = len(flat) // (2 * shape.layers * each + shape.width)
        split = length * 2 * shape.layers * each
        pasts = flat[:split].reshape(2 * shape.layers, shape.heads, length, shape.head_width)
        return pasts, flat[split:].reshape(length, shape.width)

    def pack_pasts(self, pasts: F16, memory: F16) -> bytes:
        return pack(np.concatenate([pasts.reshape(-1), memory.reshape(-1)]).reshape(-1, self.shape.head_width))

    def no_pasts(self) -> tuple[F16, F16]:
        """Keys, values and memory of no items."""
        shape = self.shape
        empty = np.zeros((2 * shape.layers, shape.heads, 0, shape.head_width), np.float16)
        return empty, np.zeros((0, shape.width), np.float16)

    @cached_property
    def _reads(self) -> Sequence[str]:
        return [f"read_{layer}" for layer in range(self.shape.layers)]

    @cached_property
    def _keys_values(self) -> Sequence[str]:
        return [f"{part}_{layer}" for layer in range(self.shape.layers) for part in ("keys", "values")]

    def _feeds(self, items: I32) -> dict[str, Any]:
        return {"codes": put(self.sids[items][None], "cpu"), "items": put(items[None], "cpu")}


def pack(rows: F16) -> bytes:
    """Any number of rows of one width, as the cache holds them."""
    return codec.encode(rows.reshape(-1, rows.shape[-1]), MODEL, KEY)


def unpacked(packed: bytes) -> F16:
    return codec.decode(packed, MODEL, KEY)


def _open(path: Path, item_rows: Any) -> Graph:
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = 1, 1, 3
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    inputs, outputs = (tuple(one.name for one in ends) for ends in (session.get_inputs(), session.get_outputs()))
    return Graph(session, GraphSignature(path.name, inputs, outputs), "cpu", {"item_rows": item_rows})
