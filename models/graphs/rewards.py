"""Rewards of the cross-attention PRM, as nodes; those of the inner form are one product."""

from typing import cast

import torch
from torch import nn

from models.graphs.blocks import Look, Seen, cross_blocks, look
from models.graphs.builder import Builder, Value
from models.layers import CrossBlock
from models.network import Promise


def attention_of(b: Builder, network: Promise, layers: list[CrossBlock], views: list[Seen], mask: Value) -> Look:
    """Attention of these blocks over keys and values that were made before."""

    def attention(number: int, normed: Value) -> Value:
        return look(b, normed, views[number], mask, layers[number].attend, network.recipe.history)

    return attention


def cross_reward(
    b: Builder, network: Promise, rows: Value, views: list[Seen], mask: Value, level: Value | int
) -> Value:
    """Candidate rows [B or 1,C,D] that look at the memory, then an MLP → [B,C]."""
    prm = network.cross
    assert prm is not None
    scaled = prm.level * prm.scale
    offset = b.constant(scaled[level]) if isinstance(level, int) else b("Gather", b.constant(scaled), level)
    x = b("Add", b("Mul", rows, b.constant(prm.scale)), offset)
    normed = cross_blocks(b, x, [prm.block], attention_of(b, network, [prm.block], views, mask), prm.norm)
    up, _, down = cast(tuple[nn.Linear, nn.GELU, nn.Linear], tuple(prm.reward))
    hidden = b.fused("BiasGelu", b("MatMul", normed, b.constant(up.weight.T)), b.constant(up.bias))
    reward = b("Squeeze", b("MatMul", hidden, b.constant(down.weight.T)), b.ints(2))
    return b("Add", reward, b.constant(torch.as_tensor(down.bias)))
