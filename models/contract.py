"""The contract between exported bundles and the service: names, dtypes and shapes of every graph (design section 3).

Axes: B requests, T history items, D width, d SID depth, K beam rows, C candidate rows, W children of a node at most,
W1 children of the root, N trie nodes, n inner ones (those with children), H heads of a block, X their width, I items,
R rows of the reward table. Nodes are numbered breadth first with the root 0, so the children of inner node i are
first_child[i] .. first_child[i + 1].

What depends on the request alone is computed once, by `context.onnx`: the first level at full width, the PRM's
view of the history, and the keys and values that queries of the decoder look at (folded with their projections to
[B,H*T,D] where that is less work, else [B,H,T,X]).
"""

from dataclasses import dataclass, replace
from typing import Literal

CONTRACT_VERSION = 2

MANIFEST = "manifest.json"
TABLES = "tables.npz"
LONG = 256  # history limit from which on a bundle has EXTEND: an encoding is then worth extending
CATALOGUE = "catalogue.npz"
RELATIONS = "relations.npz"
TITLES = "items.jsonl"  # optional: {"item_id", "title"} a line, read where the manifest lists it

Form = Literal["inner", "cross"]


@dataclass(frozen=True)
class GraphSignature:
    """One graph: its file in the bundle and the names of its inputs and outputs, in order."""

    file: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


ENCODER = GraphSignature(
    "encoder.onnx",
    # codes int32 [B,T,d]; items int32 [B,T], 0 = no learned row or padding; item_rows f16 [I+1,D], row 0 zero
    ("codes", "items", "item_rows"),
    ("memory",),  # f16 [B,T,D]: rounded once, so that a cached and a fresh encoding are the same bits
)

EXTEND = GraphSignature(
    "extend.onnx",  # optional: a bundle has it if its manifest lists it
    # of N new items: codes int32 [B,N,d], items int32 [B,N]; item_rows as in the encoder; then read_0 … f16 [B,T0,D],
    # what each layer read of the T0 items before them
    ("codes", "items", "item_rows"),
    ("states",),  # f16 [B,(L+1)*N,D] of the new items: what each of the L layers read, one after the other, then memory
)

CONTEXT = GraphSignature(
    "context.onnx",
    # memory f16 [B,T,D]; mask f32 [B,1,1,T], 0 inside the history and -1e9 beyond; last int64 [B,1], its last position;
    # first_rows f32 [W1,D] and first_code int32 [W1]: reward rows and codes of the root's children
    ("memory", "mask", "last", "first_rows", "first_code"),
    ("log_prob", "reward"),  # f32 [B,W1] of every child of the root
)

GENERATOR = GraphSignature(
    "generator-{depth}.onnx",  # one per depth from 2 on, 1-based: what differs between depths is constant in each
    (
        "mask",
        "node",  # int32 [B,K] inner trie node of every beam, none of them the root
        "log_prob",  # f32 [B,K], -inf = filler row
        "first_child",  # int32 [n,1] first child of every inner node
        "end_child",  # int32 [n,1] the node after its last child
        "code",  # int32 [N] last code of every node
        "banned",  # bool [S*N] True = not for the request of this slot: the node or all that is below it
        "slot",  # int32 [B,1,1] where the request's N entries of `banned` begin
        "children",  # int32 [W] 0, 1, …: W is the largest branching factor of this depth
        "k_plus",  # int64 [1] children to return, at most K * W
    ),
    # child node int32 [B,C], log_prob f32 [B,C] descending (-inf = filler)
    ("child_node", "child_log_prob"),
)

PRM = GraphSignature(
    "prm.onnx",
    (
        "node",  # int32 [B,C]
        "log_prob",  # f32 [B,C]
        "rows",  # f16 [R,D] reward rows
        "row",  # int32 [N] the row of every node
        "k_keep",  # int64 [1] prefixes to keep, at most C
        "weight",  # f32 [], above 0: kept by reward + weight * log_prob, so filler never is
    ),
    # order int64 [B,K'] rows of the candidates kept, best first; kept_* gathered by it; reward f32 [B,C] of them all
    ("order", "kept_node", "kept_log_prob", "kept_reward", "reward"),
)

SCAN = GraphSignature(
    "scan.onnx",  # only where the PRM's form allows an exact ranking of all items (methods section 3)
    # leaf_rows f32 [I,D]; banned bool [S*N] and slot int32 [B,1] as in the generator; leaves int32 [I] their
    # nodes; k int64 [1]
    ("memory", "mask", "last", "leaf_rows", "banned", "slot", "leaves", "k"),
    ("leaf", "leaf_reward"),  # int32 [B,k] index among the leaves, f32 [B,k] descending, -inf = filler
)

CORRECTION = GraphSignature(
    "correction.onnx",  # optional: a bundle has it if its manifest says so, and then RELATIONS
    (
        # leaves by reward: node int32, log_prob f32 (-inf = filler), reward f32 [B,C]; chosen int64 [B,C], passed on
        "node",
        "log_prob",
        "reward",
        "chosen",
        "place",  # f32 [1,C] logarithm of 1 … C
        "age",  # int32 [L] 0 … L - 1
        "history",  # int32 [B,L] item rows, newest first, 0 = unknown or padding
        "item",  # int32 [N] the item row of every leaf, 0 = none that is known to the relations
        "profiles",  # f16 [I+1,G*W] and the other arrays of models.correction.relations.Relations
        "popularity",  # f32 [I+1]
        "neighbour",  # int32 [I+1,M]
        "together",  # f16 [I+1,M]
        "follower",  # int32 [I+1,S]
        "after",  # f16 [I+1,S]
        "k_keep",  # int64 [1] leaves to return, at most C
    ),
    (
        "order",
        "kept_node",
        "kept_log_prob",
        "kept_reward",
    ),  # [B,K'], of `chosen` and the rest, by corrected reward, best first
)

VOTES = GraphSignature(
    "votes.onnx",  # optional: a bundle of the inner form has it if its manifest says so
    # node, rows and row as in the PRM; prm_context f32 [B,1,D] of the level; level int64 [], 0-based
    ("node", "rows", "row", "prm_context", "level"),
    ("votes", "interest"),  # f32 [B,C,M] rewards of M bootstrap heads; f32 [B,C] of the predicted-interest query
)

RELATED = CORRECTION.inputs[8:14]  # those that RELATIONS holds


def seen(owner: str, layers: int) -> tuple[str, ...]:
    """Names of the keys and values of every block of `owner`: decoder or prm."""
    return tuple(f"{owner}_{part}_{layer}" for layer in range(layers) for part in ("keys", "values"))


def prm_contexts(depth: int) -> tuple[str, ...]:
    """Names of the inner PRM's contexts f32 [B,1,D], one per depth."""
    return tuple(f"prm_context_{level}" for level in range(depth))


def reads(layers: int) -> tuple[str, ...]:
    """Names of what every layer of the encoder read of the items before."""
    return tuple(f"read_{layer}" for layer in range(layers))


def extend(layers: int) -> GraphSignature:
    """EXTEND of an encoder of so many layers."""
    return replace(EXTEND, inputs=EXTEND.inputs + reads(layers))


def context(layers: int, depth: int, form: Form) -> GraphSignature:
    """CONTEXT of a decoder of so many layers over so many codes, beside a PRM of this form."""
    prm = prm_contexts(depth) if form == "inner" else seen("prm", 1)
    return replace(CONTEXT, outputs=CONTEXT.outputs + prm + seen("decoder", layers))


def generator(layers: int, level: int) -> GraphSignature:
    """GENERATOR of so many layers at a 0-based level; from the third code on it also reads int32 [N] parents."""
    above = ("parent",) if level > 1 else ()
    file = GENERATOR.file.format(depth=level + 1)
    return replace(GENERATOR, file=file, inputs=GENERATOR.inputs + above + seen("decoder", layers))


def prm(form: Form) -> GraphSignature:
    """PRM of this form: prm_context f32 [B,1,D] of the level, or the level int64 [], the mask, keys and values."""
    more = ("prm_context",) if form == "inner" else ("level", "mask", *seen("prm", 1))
    return replace(PRM, inputs=PRM.inputs + more)


def graphs(
    layers: int, depth: int, form: Form, corrected: bool = False, voted: bool = False
) -> tuple[GraphSignature, ...]:
    """Every graph of a bundle of these sizes, with or without a correction and bootstrap heads."""
    generators = (generator(layers, level) for level in range(1, depth))
    scan = (SCAN,) if form == "inner" else ()
    more = (*((CORRECTION,) if corrected else ()), *((VOTES,) if voted else ()))
    return (ENCODER, context(layers, depth, form), *generators, prm(form), *scan, *more)


@dataclass(frozen=True)
class TableNames:
    """Arrays of tables.npz, all fp16. Rows are residuals: what a token or prefix has beyond the sum of its codes."""

    item_rows: str = "item_rows"  # [I+1, D], row 0 zero
    code_rows: str = "code_rows"  # [d, M, D] code embeddings shared by encoder and PRM
    prefix_rows: str = "prefix_rows"  # [V_1 + .. + V_{d-1}, D] in node order; leaves use item_rows


TABLE_NAMES = TableNames()
