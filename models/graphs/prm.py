"""prm.onnx: reward the candidates of a level and keep the best; scan.onnx: reward every leaf."""

import onnx

from models import contract
from models.contract import Form
from models.graphs import blocks
from models.graphs.blocks import IMPOSSIBLE, Seen
from models.graphs.builder import BOOL, F16, F32, I32, I64, Builder, Value
from models.graphs.context import contexts
from models.graphs.rewards import cross_reward
from models.network import Promise


def prm_graph(network: Promise, form: Form) -> onnx.ModelProto:
    """models.contract.prm."""
    b, width = Builder(), network.recipe.width
    node, log_prob = b.input("node", I32, "B", "C"), b.input("log_prob", F32, "B", "C")
    rows, row = b.input("rows", F16, "R", width), b.input("row", I32, "N")
    k_keep, weight = b.input("k_keep", I64, 1), b.input("weight", F32)
    candidates = b("Cast", b("Gather", rows, b("Gather", row, node)), to=F32)
    if form == "inner":
        context = b.input("prm_context", F32, "B", 1, width)
        reward = b("Squeeze", b.fused("FusedMatMul", candidates, context, transB=1), b.ints(2))
    else:
        reward = _cross(b, network, candidates)
    score = b("Add", reward, b("Mul", log_prob, weight))
    order = blocks.best(b, score, k_keep)
    b.output("order", order, I64, 2)
    for name, values, kind in (("node", node, I32), ("log_prob", log_prob, F32), ("reward", reward, F32)):
        b.output(f"kept_{name}", b("GatherElements", values, order, axis=1), kind, 2)
    b.output("reward", reward, F32, 2)
    return b.model(contract.PRM.file)


def _cross(b: Builder, network: Promise, candidates: Value) -> Value:
    assert network.cross is not None
    level, mask = b.input("level", I64), b.input("mask", F32, "B", 1, 1, "T")
    shape = ["B", None, None, None][: blocks.rank(network.cross.block.attend, network.recipe.history)]
    keys, values = (b.input(name, F32, *shape) for name in contract.seen("prm", 1))
    return cross_reward(b, network, candidates, [Seen(keys, values)], mask, level)


def scan_graph(network: Promise) -> onnx.ModelProto:
    """models.contract.SCAN: the inner-product PRM over every leaf at once."""
    b, width = Builder(), network.recipe.width
    stored, mask = b.input("memory", F16, "B", "T", width), b.input("mask", F32, "B", 1, 1, "T")
    rows, banned = b.input("leaf_rows", F32, "I", width), b.input("banned", BOOL, "S")
    last, slot = b.input("last", I64, "B", 1), b.input("slot", I32, "B", 1)
    leaves, k = b.input("leaves", I32, "I"), b.input("k", I64, 1)
    context = contexts(b, network, b("Cast", stored, to=F32), mask, last, only=network.catalogue.depth - 1)
    reward = b("Gemm", b("Squeeze", context, b.ints(1)), rows, transB=1)
    illegal = b("Gather", banned, b("Add", leaves, slot))
    legal = b("Where", illegal, b.constant(IMPOSSIBLE), reward)
    leaf = blocks.best(b, legal, k)
    b.output("leaf", b("Cast", leaf, to=I32), I32, 2)
    b.output("leaf_reward", b("GatherElements", legal, leaf, axis=1), F32, 2)
    return b.model(contract.SCAN.file)
