"""Transformer pieces as nodes: what models.layers says, fused, and with projections folded where that is less work."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.graphs import quantised
from models.graphs.builder import Builder, Value
from models.layers import Attention, CrossBlock, EncoderBlock, FeedForward, RMSNorm

IMPOSSIBLE = float("-inf")
LOWEST = -1e38  # below every score, above the lowest finite number
NOTHING = -1e9  # added to a logit that must not count: its weight is 0 to the bit


def best(b: Builder, scores: Value, k: Value) -> Value:
    """Places [B,k] of the largest scores [B,C], best first, the impossible ones last.

    These are lifted to LOWEST first: the CUDA kernels of TopK fill up their rows with the lowest finite number, which
    is above -inf, and would return places beyond the row.
    """
    _, places = b("TopK", b("Max", scores, b.constant(LOWEST)), k, outputs=2)
    return places


def norm(b: Builder, x: Value, layer: RMSNorm) -> Value:
    """RMS normalisation over the last axis, one node (an operator of onnxruntime in ONNX's own domain)."""
    return b("SimplifiedLayerNormalization", x, b.constant(layer.weight), epsilon=1e-6)


def product(b: Builder, x: Value, weight: Tensor, given: nn.Module) -> Value:
    """x [.., K] · weight [K,N], in integers where the inputs of the map `given` have a range."""
    if given in b.ranges:
        return quantised.product(b, x, weight, None, b.ranges[given])
    return b("MatMul", x, b.constant(weight))


def feed_forward(b: Builder, x: Value, layer: FeedForward) -> Value:
    """Without the last bias, which the norm that follows adds."""
    if layer.up in b.ranges:
        return quantised.feed_forward(b, x, layer, b.ranges)
    hidden = b("MatMul", x, b.constant(layer.up.weight.T))
    if layer.activation == "gelu":
        hidden = b.fused("BiasGelu", hidden, b.constant(layer.up.bias))
    else:
        hidden = b("Relu", b("Add", hidden, b.constant(layer.up.bias)))
    return b("MatMul", hidden, b.constant(layer.down.weight.T))


def encoder_block(b: Builder, normed: Value, x: Value, block: EncoderBlock, after: RMSNorm) -> tuple[Value, Value]:
    """Causal self-attention and feed-forward of x, of which `normed` is norm1; (norm `after` of the result, result)."""
    attend = block.attend
    weights = torch.cat([attend.query.weight, attend.key_value.weight]).T
    parts = b("Split", product(b, normed, weights, attend.query), outputs=3, axis=-1, num_outputs=3)
    looked = b.fused("MultiHeadAttention", *parts, num_heads=attend.heads, unidirectional=1)
    out = product(b, looked, attend.out.weight.T, attend.out)
    normed, x = b.skip_norm(out, x, b.constant(block.norm2.weight))
    fed = feed_forward(b, normed, block.feed)
    return b.skip_norm(fed, x, b.constant(after.weight), b.constant(block.feed.down.bias))


@dataclass(frozen=True)
class Seen:
    """What queries of one block see of the memory: keys and values, made once per request.

    Folded: keys [B,H*T,D] hold the query projection and values [B,H*T,D] the output projection, so that attention is
    two products and a softmax. Else both are [B,H,T,W].
    """

    keys: Value
    values: Value


def folds(attend: Attention, history: int) -> bool:
    """Is the folded form about as cheap for a full history? It has fewer nodes, so it may cost a little more."""
    width, inner = attend.query.in_features, attend.heads * attend.head_width
    folded = 2 * attend.heads * history * width
    return folded <= 1.5 * (2 * width * inner + 2 * history * inner)


def folded_weights(attend: Attention) -> Tensor:
    """[D, 2*H*D]: memory → folded keys and values of every head (scale of the logits included)."""
    heads, width = attend.heads, attend.head_width
    query = attend.query.weight.unflatten(0, (heads, width))  # [H,W,D]
    key, value = (part.unflatten(0, (heads, width)) for part in attend.key_value.weight.chunk(2, 0))
    out = attend.out.weight.unflatten(1, (heads, width))  # [D,H,W]
    keys = torch.einsum("hwm,hwd->mhd", key.double(), query.double()) * width**-0.5
    values = torch.einsum("hwm,dhw->mhd", value.double(), out.double())
    return torch.cat([keys.flatten(1), values.flatten(1)], 1).float().detach()


def rank(attend: Attention, history: int) -> int:
    """Axes of keys and values."""
    return 3 if folds(attend, history) else 4


def see(b: Builder, memory: Value, blocks: list[CrossBlock], history: int) -> list[Seen]:
    """Keys and values of all these blocks from one product; memory [B,T,D]."""
    if not blocks:
        return []
    attend, folded = blocks[0].attend, folds(blocks[0].attend, history)
    weights = [folded_weights(x.attend) if folded else x.attend.key_value.weight.T for x in blocks]
    width = attend.query.in_features if folded else attend.head_width
    made = product(b, memory, torch.cat(weights, 1), blocks[0].attend.key_value)
    by_head = b("Transpose", b.reshape(made, 0, 0, -1, width), perm=[0, 2, 1, 3])
    parts = b("Split", by_head, outputs=2 * len(blocks), axis=1, num_outputs=2 * len(blocks))
    if folded:
        parts = [b.reshape(part, 0, -1, width) for part in parts]
    return [Seen(*pair) for pair in zip(parts[::2], parts[1::2], strict=True)]


def look(b: Builder, normed: Value, seen: Seen, mask: Value, attend: Attention, history: int) -> Value:
    """Attention of normalised queries [B,Q,D]; mask f32 [B,1,1,T], 0 or NOTHING."""
    if folds(attend, history):
        logits = b.fused("FusedMatMul", normed, seen.keys, transB=1)
        logits = b("Add", b.reshape(logits, 0, 0, attend.heads, -1), mask)
        return b("MatMul", b.reshape(b("Softmax", logits, axis=-1), 0, 0, -1), seen.values)
    query = product(b, normed, attend.query.weight.T * attend.head_width**-0.5, attend.query)
    query = b("Transpose", b.reshape(query, 0, 0, attend.heads, -1), perm=[0, 2, 1, 3])
    logits = b("Add", b.fused("FusedMatMul", query, seen.keys, transB=1), mask)
    mixed = b("MatMul", b("Softmax", logits, axis=-1), seen.values)
    flat = b.reshape(b("Transpose", mixed, perm=[0, 2, 1, 3]), 0, 0, -1)
    return product(b, flat, attend.out.weight.T, attend.out)


Look = Callable[[int, Value], Value]  # the attention of block number … for normalised queries


def cross_blocks(b: Builder, x: Value, blocks: list[CrossBlock], attention: Look, after: RMSNorm) -> Value:
    """Queries x [B,Q,D] through all blocks, then the norm `after`."""
    if not blocks:
        return norm(b, x, after)
    normed = norm(b, x, blocks[0].norm1)
    for number, block in enumerate(blocks):
        following = blocks[number + 1].norm1 if number + 1 < len(blocks) else after
        looked = attention(number, normed)
        normed, x = b.skip_norm(looked, x, b.constant(block.norm2.weight))
        fed = feed_forward(b, normed, block.feed)
        normed, x = b.skip_norm(fed, x, b.constant(following.weight), b.constant(block.feed.down.bias))
    return normed


def look_back(b: Builder, x: Value, memory: Value, mask: Value, attend: Attention) -> Value:
    """Attention of a few normalised queries [B,Q,D] over memory [B,T,D], the memory's projections folded into theirs.

    For fewer queries than items this is the least work: no product over the memory but the two that mix it.
    """
    heads, width, count = attend.heads, attend.head_width, attend.query.in_features
    query = attend.query.weight.unflatten(0, (heads, width)).double()
    key, value = (part.unflatten(0, (heads, width)).double() for part in attend.key_value.weight.chunk(2, 0))
    out = attend.out.weight.unflatten(1, (heads, width)).double()
    asked = torch.einsum("hwd,hwm->dhm", query, key).flatten(1) * width**-0.5
    told = torch.einsum("hwm,dhw->hmd", value, out).flatten(0, 1)
    questions = b.reshape(b("MatMul", x, b.constant(asked)), 0, -1, count)
    logits = b("Add", b.fused("FusedMatMul", questions, memory, transB=1), b("Squeeze", mask, b.ints(1)))
    mixed = b("MatMul", b("Softmax", logits, axis=-1), memory)
    return b("MatMul", b.reshape(mixed, 0, -1, heads * count), b.constant(told))
