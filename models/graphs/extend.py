"""extend.onnx: some more items at the end of a history whose beginning is already encoded.

Kept of a history are its states: what every layer's attention reads (the normalised rows), then the memory, one row an
item each. Keys and values are products of those rows, folded into the queries (blocks.look_back), so they need not be
kept: D numbers an item and layer instead of 2*H*X, 5 times fewer bytes at TIGER's size.

Positions count from the oldest item read, so states are good for as long as that item stays the same: while the history
grows inside the window. Over no states at all the graph encodes from the beginning; in steps of some 64 items that
costs less than encoder.onnx does at once where histories are long, because no step looks beyond itself.
"""

from typing import cast

import numpy as np
import onnx

from models import contract
from models.graphs import blocks
from models.graphs.blocks import NOTHING
from models.graphs.builder import F16, F32, Builder, Value
from models.graphs.encoder import tokens
from models.layers import EncoderBlock
from models.network import Promise


def extend_graph(network: Promise) -> onnx.ModelProto:
    """models.contract.EXTEND."""
    b, layers = Builder(), cast(list[EncoderBlock], list(network.encoder.blocks))
    before = [b.input(name, F16, "B", "T0", network.recipe.width) for name in contract.reads(len(layers))]
    start = b("Shape", before[0], start=1, end=2)
    x, mask = placed_tokens(b, network, start), later(b, network, start, network.recipe.heads)
    mask = b("Unsqueeze", mask, b.ints(0, 1))
    normed, states = blocks.norm(b, x, layers[0].norm1), []
    for number, (block, old) in enumerate(zip(layers, before, strict=True)):
        after = layers[number + 1].norm1 if number + 1 < len(layers) else network.encoder.norm
        states.append(b("Cast", normed, to=F16))
        seen = b("Cast", b("Concat", old, states[-1], axis=1), to=F32)
        looked = blocks.look_back(b, normed, seen, mask, block.attend)
        normed, x = b.skip_norm(looked, x, b.constant(block.norm2.weight))
        fed = blocks.feed_forward(b, normed, block.feed)
        normed, x = b.skip_norm(fed, x, b.constant(after.weight), b.constant(block.feed.down.bias))
    memory = b("Cast", normed, to=F16)
    b.output("states", b("Concat", *states, memory, axis=1), F16, 3)
    return b.model(contract.EXTEND.file)


def later(b: Builder, network: Promise, start: Value, heads: int) -> Value:
    """[N*heads,T0+N]: NOTHING where an item comes after the one that looks, of which every head is a row; else 0."""
    numbers = np.arange(network.recipe.history)
    old = b("Slice", b.constant(numbers, "int32"), b.ints(0), start, b.ints(0))
    seen = b("Concat", old, _of_new(b, b.constant(numbers, "int32"), start), axis=0)
    after = _of_new(b, b.constant(np.tile(numbers[:, None] + 1, heads), "int32"), start)
    hidden = b("GreaterOrEqual", seen, b.reshape(after, -1, 1))
    return b("Where", hidden, b.constant(NOTHING), b.constant(0.0))


def placed_tokens(b: Builder, network: Promise, start: Value) -> Value:
    """(item row + sum of code embeddings + position) · √D [B,N,D]; the first position is `start`."""
    encoder = network.encoder
    return b("Add", tokens(b, network), _of_new(b, b.constant(encoder.position * encoder.scale), start))


def _of_new(b: Builder, table: Value, start: Value) -> Value:
    """The new items' rows of a table with a row for every position; both ends are shapes, which are on the host."""
    rest = b("Slice", table, start, b.ints(np.iinfo(np.int32).max), b.ints(0))
    return b("Slice", rest, b.ints(0), b("Shape", "items", start=1, end=2), b.ints(0))
