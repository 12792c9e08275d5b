"""generator-….onnx: the k_plus most probable legal children of a beam, gathered from the trie's arrays."""

import onnx
from torch import Tensor

from models import contract
from models.graphs import blocks
from models.graphs.blocks import IMPOSSIBLE, NOTHING, Seen
from models.graphs.builder import BOOL, F32, I32, I64, Builder, Value
from models.graphs.ranges import Ranges
from models.graphs.rewards import attention_of
from models.layers import layers_of
from models.network import Promise

DENSE = 64  # codes a child: with fewer children, products with the children's own rows cost less than with all codes


def generator_graph(
    network: Promise, level: int, gathered: bool | None = None, ranges: Ranges | None = None
) -> onnx.ModelProto:
    """models.contract.generator at a 0-based level; `gathered`: score only the children's codes, not the codebook.

    Left to itself it gathers where nodes have few children beside the size of the codebook.
    """
    b, layers = Builder(ranges), layers_of(network.decoder.blocks)
    mask, node = b.input("mask", F32, "B", 1, 1, "T"), b.input("node", I32, "B", "K")
    log_prob, code = b.input("log_prob", F32, "B", "K"), b.input("code", I32, "N")
    first, end = b.input("first_child", I32, "n", 1), b.input("end_child", I32, "n", 1)
    banned, slot = b.input("banned", BOOL, "S"), b.input("slot", I32, "B", 1, 1)
    children, k_plus = b.input("children", I32, "W"), b.input("k_plus", I64, 1)
    hidden = _hidden(b, network, _query(b, network, node, code, level), mask)
    slots = b("Add", b("Gather", first, node), children)
    missing = b("GreaterOrEqual", slots, b("Gather", end, node))
    child = b("Where", missing, b.constant(0, "int32"), slots)  # filler is the root: a node that every gather may see
    if gathered is None:
        gathered = widest(network, level) * DENSE <= network.catalogue.codebook
    score = _gathered if gathered else _dense
    scores = score(
        b,
        hidden,
        network.decoder.head.view(network.catalogue.depth, -1, network.recipe.width)[level],
        b("Gather", code, child),
    )
    scores = b("LogSoftmax", b("Where", missing, b.constant(NOTHING), scores), axis=-1)
    scores = b("Add", scores, b("Unsqueeze", log_prob, b.ints(2)))
    illegal = b("Or", missing, b("Gather", banned, b("Add", child, slot)))
    flat = b.reshape(b("Where", illegal, b.constant(IMPOSSIBLE), scores), 0, -1)
    chosen = blocks.best(b, flat, k_plus)
    b.output("child_node", b("GatherElements", b.reshape(child, 0, -1), chosen, axis=1), I32, 2)
    b.output("child_log_prob", b("GatherElements", flat, chosen, axis=1), F32, 2)
    return b.model(contract.generator(len(layers), level).file)


def widest(network: Promise, level: int) -> int:
    """The most children of any node at this level."""
    return int(network.catalogue.get_buffer(f"first_{level}").diff().max())


def _query(b: Builder, network: Promise, node: Value, code: Value, level: int) -> Value:
    """One query per beam [B,K,D]: the sum of its codes' embeddings, walking up the trie, and of the level's."""
    decoder = network.decoder
    tables = (decoder.codes * decoder.scale).view(decoder.depth, decoder.codebook, -1)
    query = b("Gather", b.constant(tables[level - 1] + decoder.level[level] * decoder.scale), b("Gather", code, node))
    parent = b.input("parent", I32, "N") if level > 1 else ""
    for above in range(level - 2, -1, -1):
        node = b("Gather", parent, node)
        query = b("Add", query, b("Gather", b.constant(tables[above]), b("Gather", code, node)))
    return query


def _hidden(b: Builder, network: Promise, query: Value, mask: Value) -> Value:
    """Queries [B,K,D] through the decoder, over keys and values that are inputs."""
    layers, history = layers_of(network.decoder.blocks), network.recipe.history
    shape = ["B", None, None, None][: blocks.rank(layers[0].attend, history)]
    seen = [b.input(name, F32, *shape) for name in contract.seen("decoder", len(layers))]
    views = [Seen(*pair) for pair in zip(seen[::2], seen[1::2], strict=True)]
    return blocks.cross_blocks(b, query, layers, attention_of(b, network, layers, views, mask), network.decoder.norm)


def _dense(b: Builder, hidden: Value, head: Tensor, codes: Value) -> Value:
    """[B,K,W]: logits over the whole codebook, then those of the children."""
    return b("GatherElements", b("MatMul", hidden, b.constant(head.T)), codes, axis=2)


def _gathered(b: Builder, hidden: Value, head: Tensor, codes: Value) -> Value:
    """[B,K,W]: logits of the children alone."""
    rows = b("Gather", b.constant(head), codes)
    return b("Squeeze", b("MatMul", rows, b("Unsqueeze", hidden, b.ints(3))), b.ints(3))
