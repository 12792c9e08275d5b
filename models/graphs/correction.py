"""correction.onnx: rank the best leaves anew by what they have to do with the items of the history."""

import onnx
import torch
from torch import nn

from models import contract
from models.correction.network import FAR, POPULARITY, WORST, Correction, ages
from models.graphs import blocks
from models.graphs.builder import F16, F32, I32, I64, Builder, Value

FEWEST = 1e-30  # times a log-probability: nothing, and -inf for filler


def correction_graph(model: Correction, groups: int) -> onnx.ModelProto:
    """models.contract.CORRECTION."""
    b = Builder()
    node, log_prob = b.input("node", I32, "B", "C"), b.input("log_prob", F32, "B", "C")
    reward, order = b.input("reward", F32, "B", "C"), b.input("chosen", I64, "B", "C")
    history, item = b.input("history", I32, "B", "L"), b.input("item", I32, "N")
    popularity, k_keep = b.input("popularity", F32, "I"), b.input("k_keep", I64, 1)
    candidate = _known(b, b("Gather", item, node), log_prob)
    logs = b("Gather", popularity, candidate), b("Gather", popularity, history)
    counts = _counts(b, history, candidate, *logs)
    age = b("Gather", b.constant(_ages(model)), b.input("age", I32, "L"))
    of_pairs = b("Expand", age, b("Shape", counts[0]))  # [B,C,L,3]: the last axis of the shape is 1 and gives way
    pairs = b("Concat", _alike(b, history, candidate, groups), *counts, of_pairs, axis=3)
    first = b("Max", b("Slice", reward, b.ints(0), b.ints(1), b.ints(1)), b.constant(blocks.LOWEST))
    gap = b("Max", b("Sub", reward, first), b.constant(WORST))
    place = b("Expand", b.input("place", F32, 1, "C"), b("Shape", reward))
    own = (b("Mul", logs[0], b.constant(POPULARITY)), gap, place)
    parts = b("Concat", *_pooled(b, model, pairs, history), *(b("Unsqueeze", x, b.ints(2)) for x in own), axis=2)
    mixed = b.fused("BiasGelu", b("MatMul", parts, b.constant(model.mix.weight.T)), b.constant(model.mix.bias))
    more = b("Squeeze", b("MatMul", mixed, b.constant(model.reward.weight.T)), b.ints(2))
    more = _even(b, b("Add", more, b.constant(torch.as_tensor(model.reward.bias))), candidate)
    total = b("Add", b("Mul", reward, b.constant(model.scale)), more)
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


def _ages(model: Correction) -> torch.Tensor:
    """[L,3]: the ages, and one."""
    known = ages(model.recipe.newest)
    return torch.cat([known, torch.ones(len(known), 1)], 1)


def _known(b: Builder, candidate: Value, log_prob: Value) -> Value:
    """[B,C] item rows, 0 for filler: whatever stands in its place must not move the others' average."""
    return b("Where", b("Greater", log_prob, b.constant(blocks.LOWEST)), candidate, b.constant(0, "int32"))


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
    """[B,C,L]: models.correction.network.counted."""
    some = b("Unsqueeze", b("Gather", b.input(items, I32, "I", None), history), b.ints(1))
    counted = b("Cast", b("Gather", b.input(counts, F16, "I", None), history), to=F32)
    found = b("Equal", some, b("Unsqueeze", candidate, b.ints(2, 3)))
    return b("ReduceSum", b("Where", found, b("Unsqueeze", counted, b.ints(1)), b.constant(0.0)), b.ints(3), keepdims=0)


def _pooled(b: Builder, model: Correction, pairs: Value, history: Value) -> list[Value]:
    """What attention over the history and its mean say of every candidate: [B,C,H*W] and [B,C,W].

    Biases are rows of the maps, over a feature that is always one: adding them to [B,C,L,W] apart costs as much as
    the maps. Shares do not change by the bias of `attend`.
    """
    first, second = _maps(model)
    told = b("MatMul", b("Gelu", b("MatMul", pairs, b.constant(first))), b.constant(second))
    active = b("Gelu", told)
    there = b("Cast", b("Greater", history, b.constant(0, "int32")), to=F32)  # [B,L]
    outside = b("Unsqueeze", b("Mul", b("Sub", there, b.constant(1.0)), b.constant(-FAR)), b.ints(1, 2))
    logits = b("Transpose", b("MatMul", active, b.constant(model.attend.weight.T)), perm=[0, 1, 3, 2])
    share = b("Mul", b("Softmax", b("Add", logits, outside), axis=-1), b("Unsqueeze", there, b.ints(1, 2)))
    pooled = b("MatMul", share, told)  # nothing where no item is there: all of its shares were alike
    count = b("Add", b("ReduceSum", there, b.ints(1), keepdims=1), b.constant(1.0))
    mean = b("MatMul", b("Unsqueeze", b("Div", there, count), b.ints(1, 2)), active)
    flat = model.recipe.heads * model.recipe.width
    return [b.reshape(pooled, 0, 0, flat), b("Squeeze", mean, b.ints(2))]


def _maps(model: Correction) -> tuple[torch.Tensor, torch.Tensor]:
    """[F+3,W+1] and [W+1,W]: `first` over features, ages and one, with one more output that is always one before its
    GELU; `second` over that.
    """
    first = torch.cat([model.first.weight.T, model.first.bias[None]])
    one = torch.zeros(len(first), 1)
    one[-1] = 1
    second = torch.cat([model.second.weight.T, model.second.bias[None] / nn.functional.gelu(torch.ones(()))])
    return torch.cat([first, one], 1), second
