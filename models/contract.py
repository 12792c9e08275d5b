"""The contract between exported bundles and the service: names, dtypes and shapes of every graph (design section 3).

Axes: B requests, T history items, D width, d SID depth, K beam rows, C candidate rows, N trie nodes, I items.
Nodes are numbered breadth first with the root 0, so the children of node n are first_child[n] .. first_child[n + 1].
"""

from dataclasses import dataclass

CONTRACT_VERSION = 1

MANIFEST = "manifest.json"
TABLES = "tables.npz"
CATALOGUE = "catalogue.npz"


@dataclass(frozen=True)
class GraphSignature:
    """One graph: its file in the bundle and the names of its inputs and outputs, in order."""

    file: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


ENCODER = GraphSignature(
    "encoder.onnx",
    # codes int32 [B,T,d]; items int32 [B,T], 0 = no learned row or padding; lengths int32 [B]; item_rows f32 [I+1,D]
    ("codes", "items", "lengths", "item_rows"),
    ("memory",),  # f16 [B,T,D]: rounded once, so that a cached and a fresh encoding are the same bits
)

GENERATOR = GraphSignature(
    "generator.onnx",
    (
        "memory",  # f16 [B,T,D]
        "lengths",  # int32 [B]
        "node",  # int32 [B,K] trie node of every beam
        "prefix",  # int32 [B,K,d] codes so far, -1 beyond the prefix
        "log_prob",  # f32 [B,K], -inf = filler row
        "first_child",  # int32 [N+1]
        "code",  # int32 [N] last code of every node
        "allowed",  # bool [B,N] False = nothing legal below this node for this request
        "level",  # int64 [] depth being generated, 0-based
        "width",  # int64 [] padded number of children: the largest branching factor of this level
        "k_plus",  # int64 [] children to return, at most K * width
    ),
    # child node int32 [B,C], prefix int32 [B,C,d], log_prob f32 [B,C] descending (-inf = filler), parent int32 [B,C]
    ("child_node", "child_prefix", "child_log_prob", "parent"),
)

PRM = GraphSignature(
    "prm.onnx",
    (
        "memory",
        "lengths",
        "node",  # int32 [B,C]
        "prefix",  # int32 [B,C,d]
        "log_prob",  # f32 [B,C]
        "node_rows",  # f32 [N,D] embedding row of every valid prefix
        "level",  # int64 []
        "k_keep",  # int64 [] prefixes to keep, at most C
        "weight",  # f32 []: kept by reward + weight * log_prob
    ),
    # order int32 [B,K'] rows of the candidates kept, best first; kept_* gathered by it; reward f32 [B,C] of them all
    ("order", "kept_node", "kept_prefix", "kept_log_prob", "kept_reward", "reward"),
)

SCAN = GraphSignature(
    "scan.onnx",  # only where the PRM's form allows an exact ranking of all items (methods section 3)
    # leaf_rows f32 [I,D], the last rows of node_rows: leaves are the last nodes; allowed bool [B,N]; k int64 []
    ("memory", "lengths", "leaf_rows", "allowed", "k"),
    ("leaf", "leaf_reward"),  # int32 [B,k] index among the leaves, f32 [B,k] descending, -inf = filler
)

GRAPHS = (ENCODER, GENERATOR, PRM, SCAN)


@dataclass(frozen=True)
class TableNames:
    """Arrays of tables.npz, all fp16. Rows are residuals: what a token or prefix has beyond the sum of its codes."""

    item_rows: str = "item_rows"  # [I+1, D], row 0 zero
    code_rows: str = "code_rows"  # [d, M, D] code embeddings shared by encoder and PRM
    prefix_rows: str = "prefix_rows"  # [V_1 + .. + V_{d-1}, D] in node order; leaves use item_rows


TABLE_NAMES = TableNames()
