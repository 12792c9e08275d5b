"""context.onnx: an encoding → everything about the request that no beam changes, the first level included."""

import onnx
import torch

from models import contract
from models.contract import Form
from models.graphs import blocks
from models.graphs.blocks import Seen
from models.graphs.builder import F16, F32, I32, I64, Builder, Value
from models.graphs.ranges import Ranges
from models.graphs.rewards import attention_of, cross_reward
from models.layers import CrossBlock, layers_of
from models.network import Promise


def context_graph(network: Promise, form: Form, ranges: Ranges | None = None) -> onnx.ModelProto:
    """models.contract.context."""
    b, width, depth = Builder(ranges), network.recipe.width, network.catalogue.depth
    stored, mask = b.input("memory", F16, "B", "T", width), b.input("mask", F32, "B", 1, 1, "T")
    last = b.input("last", I64, "B", 1)
    rows, code = b.input("first_rows", F32, "W1", width), b.input("first_code", I32, "W1")
    memory = b("Cast", stored, to=F32)
    decoder = layers_of(network.decoder.blocks)
    views = blocks.see(b, memory, decoder, network.recipe.history)
    b.output("log_prob", _first_log_prob(b, network, views, mask, code), F32, 2)
    if form == "inner":
        told = contexts(b, network, memory, mask, last)
        parts = b("Split", told, outputs=depth, axis=1, num_outputs=depth) if depth > 1 else [told]
        b.output("reward", b("Gemm", b("Squeeze", parts[0], b.ints(1)), rows, transB=1), F32, 2)
        for name, part in zip(contract.prm_contexts(depth), parts, strict=True):
            b.output(name, part, F32, 3)
    else:
        assert network.cross is not None
        prm = blocks.see(b, memory, [network.cross.block], network.recipe.history)
        b.output("reward", cross_reward(b, network, b("Unsqueeze", rows, b.ints(0)), prm, mask, level=0), F32, 2)
        _leave(b, "prm", prm, [network.cross.block], network.recipe.history)
    _leave(b, "decoder", views, decoder, network.recipe.history)
    return b.model(contract.CONTEXT.file)


def _leave(b: Builder, owner: str, views: list[Seen], layers: list[CrossBlock], history: int) -> None:
    parts = (part for view in views for part in (view.keys, view.values))
    for name, value in zip(contract.seen(owner, len(views)), parts, strict=True):
        b.output(name, value, F32, blocks.rank(layers[0].attend, history))


def _first_log_prob(b: Builder, network: Promise, views: list[Seen], mask: Value, code: Value) -> Value:
    """[B,W1]: the first query is the same for everyone; what it sees is not."""
    decoder = network.decoder
    layers = layers_of(decoder.blocks)
    query = b.constant((decoder.level[0] * decoder.scale)[None, None])
    hidden = blocks.cross_blocks(b, query, layers, attention_of(b, network, layers, views, mask), decoder.norm)
    logits = b("MatMul", hidden, b.constant(decoder.level_head(torch.tensor(0)).T))
    return b("Squeeze", b("LogSoftmax", b("Gather", logits, code, axis=2), axis=-1), b.ints(1))


def contexts(b: Builder, network: Promise, memory: Value, mask: Value, last: Value, only: int | None = None) -> Value:
    """The inner PRM's contexts [B,d,D] of all depths at once, or [B,1,D] of one."""
    prm = network.inner
    assert prm is not None
    levels = slice(None) if only is None else slice(only, only + 1)
    weights, depth = prm.context[levels], len(prm.context[levels])
    newest = b("GatherND", memory, last, batch_dims=1)
    x = b.reshape(b("MatMul", newest, b.constant(weights.permute(1, 0, 2).flatten(1))), 0, depth, -1)
    layers = layers_of(prm.blocks)
    if not layers:
        return x

    def attention(number: int, normed: Value) -> Value:
        return blocks.look_back(b, normed, memory, mask, layers[number].attend)

    return blocks.cross_blocks(b, b("Add", x, b.constant(prm.level[levels])), layers, attention, prm.norm)
