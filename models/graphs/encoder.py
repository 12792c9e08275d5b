"""encoder.onnx: a history of items → its encoding."""

from typing import cast

import onnx
import torch

from models import contract
from models.graphs import blocks
from models.graphs.builder import F16, F32, I32, Builder, Value
from models.graphs.ranges import Ranges
from models.layers import EncoderBlock
from models.network import Promise


def encoder_graph(network: Promise, ranges: Ranges | None = None) -> onnx.ModelProto:
    """models.contract.ENCODER."""
    b = Builder(ranges)
    positions = b.constant(network.encoder.position * network.encoder.scale)
    items = tokens(b, network)
    length = b("Shape", "items", start=1, end=2)
    x = b("Add", items, b("Slice", positions, b.ints(0), length, b.ints(0)))
    layers = cast(list[EncoderBlock], list(network.encoder.blocks))
    normed = blocks.norm(b, x, layers[0].norm1)
    for number, block in enumerate(layers):
        after = layers[number + 1].norm1 if number + 1 < len(layers) else network.encoder.norm
        normed, x = blocks.encoder_block(b, normed, x, block, after)
    b.output("memory", b("Cast", normed, to=F16), F16, 3)
    return b.model(contract.ENCODER.file)


def tokens(b: Builder, network: Promise) -> Value:
    """(item row + sum of code embeddings) · √D [B,T,D]; the scale is part of the constants."""
    features, encoder, depth = network.features, network.encoder, network.catalogue.depth
    codes, items = b.input("codes", I32, "B", "T", depth), b.input("items", I32, "B", "T")
    rows = b.input("item_rows", F16, "I", network.recipe.width)
    first = b.constant(torch.arange(depth) * features.codebook, "int32")
    by_code = b("Gather", b.constant(features.codes * encoder.scale), b("Add", codes, first))
    sums = b("ReduceSum", by_code, b.ints(2), keepdims=0)
    learned = b("Mul", b("Cast", b("Gather", rows, items), to=F32), b.constant(encoder.scale))
    return b("Add", learned, sums)
