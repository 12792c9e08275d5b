"""correction.onnx: rank the best leaves anew by what they have to do with the items of the history."""

import onnx
import torch
from torch import nn

from models import contract
from models.correction import FAR, POPULARITY, WORST, Correction, ages
from models.graphs import blocks
from models.graphs.builder import F16, F32, I32, I64, Builder, Value

FEWEST = 1e-30  # times a log-probability: nothing, and -inf for filler


def correction_graph(model: Correction, groups: int) -> onnx.ModelProto:
    """models.contract.CORRECTION."""
    b = Builder()
    node, log_prob = b.input("node", I32, "B", "C"), b.input("log_prob", F32, "B", "C")
    reward, order = b.input("reward", F32, "B", "C"), b.input("chosen", I64, "B", "C")
    history, item = b.input("history", I32, "B", "L"), b.input("item", I32, "N")
    popularity = b.input("popularity", F32, "I")
    candidate, k_keep = b("Gather", item, node), b.input("k_keep", I64, 1)
    logs = b("Gather", popularity, candidate), b("Gather", popularity, history)
    pairs = b("Concat", _alike(b, history, candidate, groups), *_counts(b, history, candidate, *logs), axis=3)
    first = b("Max", b("Slice", reward, b.ints(0), b.ints(1), b.ints(1)), b.constant(blocks.LOWEST))
    gap = b("Max", b("Sub", reward, first), b.constant(WORST))
    place = b("Expand", b.input("place", F32, 1, "C"), b("Shape", reward))
    own = (b("Mul", logs[0], b.constant(POPULARITY)), gap, place)
    parts = b("Concat", *_pooled(b, model, pairs, history), *(b("Unsqueeze", x, b.ints(2)) for x in own), axis=2)
    mixed = b.fused("BiasGelu", b("MatMul", parts, b.constant(model.mix.weight.T)), b.constant(model.mix.bias))
    more = b("Squeeze", b("MatMul", mixed, b.constant(model.reward.weight.T)), b.ints(2))
    more = _even(b, b("Add", more, b.constant(torch.as_tensor(model.reward.bias))), candidate)
    total = b("Add", b("Mul", gap, b.constant(model.scale)), more)
    best = blocks.best(b, b("Add", total, b("Mul", log_prob, b.constant(FEWEST))), k_keep)
    kinds = (
        ("order", order, I64),
        ("kept_node", node, I32),
        ("kept_log_prob", log_prob, F32),
        ("kept_reward", total, F32),
    )
    for name, values, kind in kinds:
        b.output(name, b("GatherElements", values, best, axis=1), kind, 2)
    return b.model(contract.CORRECTION.file)


def _even(b: Builder, more: Value, candidate: Value) -> Value:
    """Candidates of which nothing is known are corrected by as much as the others on average."""
    known = b("Greater", candidate, b.constant(0, "int32"))
    others = b("Cast", known, to=F32)
    total = b("ReduceSum", b("Mul", more, others), b.ints(1), keepdims=1)
    count = b("Add", b("ReduceSum", others, b.ints(1), keepdims=1), b.constant(1e-6))
    return b("Where", known, more, b("Div", total, count))


def _alike(b: Builder, history: Value, candidate: Value, groups: int) -> Value:
    """[B,C,L,G]: inner products of profiles."""
    profiles = b.input("profiles", F16, "I", None)

    def rows(items: Value) -> Value:
        split = b.reshape(b("Cast", b("Gather", profiles, items), to=F32), 0, 0, groups, -1)
        return b("Transpose", split, perm=[0, 2, 1, 3])

    return b("Transpose", b.fused("FusedMatMul", rows(candidate), rows(history), transB=1), perm=[0, 2, 3, 1])


def _counts(b: Builder, history: Value, candidate: Value, own: Value, past: Value) -> list[Value]:
    """[B,C,L,1] each: together as a logarithm and as a cosine, after as a logarithm."""
    near = _counted(b, "neighbour", "together", history, candidate)
    both = b("Add", b("Unsqueeze", own, b.ints(2)), b("Unsqueeze", past, b.ints(1)))
    rarity = b("Exp", b("Mul", both, b.constant(-0.5)))
    then, one = _counted(b, "follower", "after", history, candidate), b.constant(1.0)
    found = b("Log", b("Add", near, one)), b("Mul", near, rarity), b("Log", b("Add", then, one))
    return [b("Unsqueeze", x, b.ints(3)) for x in found]


def _counted(b: Builder, items: str, counts: str, history: Value, candidate: Value) -> Value:
    """[B,C,L]: models.correction.counted."""
    some = b("Unsqueeze", b("Gather", b.input(items, I32, "I", None), history), b.ints(1))
    counted = b("Cast", b("Gather", b.input(counts, F16, "I", None), history), to=F32)
    found = b("Equal", some, b("Unsqueeze", candidate, b.ints(2, 3)))
    return b("ReduceSum", b("Where", found, b("Unsqueeze", counted, b.ints(1)), b.constant(0.0)), b.ints(3), keepdims=0)


def _pooled(b: Builder, model: Correction, pairs: Value, history: Value) -> list[Value]:
    """What attention over the history and its mean say of every candidate: [B,C,H*W] and [B,C,W]."""
    width = model.recipe.width
    features = model.first.weight[:, : model.features], model.first.weight[:, model.features :]
    # The ages' share of the first map is the same for all candidates: a bias by place in the history.
    by_place = ages(model.recipe.newest) @ features[1].T + model.first.bias
    bias = b("Gather", b.constant(by_place), b.input("age", I32, "L"))
    told = b("Gelu", b("Add", b("MatMul", pairs, b.constant(features[0].T)), bias))
    told = _linear(b, told, model.second)
    active, zero = b("Gelu", told), b.constant(0, "int32")
    there = b("Cast", b("Greater", history, zero), to=F32)  # [B,L]
    outside = b("Mul", b("Sub", there, b.constant(1.0)), b.constant(-FAR))
    shape = b.ints(1, 3)
    share = b("Softmax", b("Add", _linear(b, active, model.attend), b("Unsqueeze", outside, shape)), axis=2)
    pooled = b("MatMul", b("Transpose", share, perm=[0, 1, 3, 2]), told)
    total = b("ReduceSum", b("Mul", active, b("Unsqueeze", there, shape)), b.ints(2), keepdims=0)
    count = b("Add", b("ReduceSum", there, b.ints(1), keepdims=1), b.constant(1.0))
    return [b.reshape(pooled, 0, 0, model.recipe.heads * width), b("Div", total, b("Unsqueeze", count, b.ints(2)))]


def _linear(b: Builder, x: Value, layer: nn.Linear) -> Value:
    return b("Add", b("MatMul", x, b.constant(layer.weight.T)), b.constant(layer.bias))
