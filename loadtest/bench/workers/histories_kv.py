"""The usual way to extend an encoding, as the benchmark's other side: keys and values of every layer are kept.

Plain products over them: the fused attention with a past of onnxruntime takes 1.2 to 1.8 times as long, because it
copies the past once more.
"""

from typing import cast

import onnx
import torch

from models.graphs import blocks
from models.graphs.builder import F16, F32, Builder, Value
from models.graphs.extend import later, placed_tokens
from models.layers import Attention, EncoderBlock
from models.network import Promise


def pasts(layers: int) -> tuple[str, ...]:
    """Inputs: keys and values f16 [B,H,T0,X] of every layer."""
    return tuple(f"{part}_{layer}" for layer in range(layers) for part in ("keys", "values"))


def keys_values_graph(network: Promise) -> onnx.ModelProto:
    """codes, items, item_rows, pasts → memory f16 [B,N,D], new_… f16 [B,H,N,X] to append to every past."""
    b, layers = Builder(), cast(list[EncoderBlock], list(network.encoder.blocks))
    heads, width = network.recipe.heads, network.recipe.head_width
    before = [b.input(name, F16, "B", heads, "T0", width) for name in pasts(len(layers))]
    start = b("Shape", before[0], start=2, end=3)
    x, mask = placed_tokens(b, network, start), later(b, network, start, heads=1)
    normed, made = blocks.norm(b, x, layers[0].norm1), list[Value]()
    for number, block in enumerate(layers):
        after = layers[number + 1].norm1 if number + 1 < len(layers) else network.encoder.norm
        looked, new = _look(b, normed, before[2 * number : 2 * number + 2], mask, block.attend)
        made += new
        normed, x = b.skip_norm(looked, x, b.constant(block.norm2.weight))
        fed = blocks.feed_forward(b, normed, block.feed)
        normed, x = b.skip_norm(fed, x, b.constant(after.weight), b.constant(block.feed.down.bias))
    b.output("memory", b("Cast", normed, to=F16), F16, 3)
    for name, value in zip(pasts(len(layers)), made, strict=True):
        b.output(f"new_{name}", value, F16, 4)
    return b.model("keys_values.onnx")


def _look(b: Builder, normed: Value, before: list[Value], mask: Value, attend: Attention) -> tuple[Value, list[Value]]:
    """Attention over the past and itself [B,N,D], and the new keys and values."""
    weights = torch.cat([attend.query.weight * attend.head_width**-0.5, attend.key_value.weight]).T
    made = b.reshape(b("MatMul", normed, b.constant(weights)), 0, 0, 3 * attend.heads, -1)
    query, *new = b("Split", b("Transpose", made, perm=[0, 2, 1, 3]), outputs=3, axis=1, num_outputs=3)
    new = [b("Cast", part, to=F16) for part in new]
    keys, values = (b("Cast", b("Concat", old, part, axis=2), to=F32) for old, part in zip(before, new, strict=True))
    logits = b("Add", b.fused("FusedMatMul", query, keys, transB=1), mask)
    mixed = b("MatMul", b("Softmax", logits, axis=-1), values)
    flat = b.reshape(b("Transpose", mixed, perm=[0, 2, 1, 3]), 0, 0, -1)
    return b("MatMul", flat, b.constant(attend.out.weight.T)), new
