"""The arrays of a bundle that graphs take as inputs, by graph: on the device once, bound for good."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import contract
from service.engine.bundle import Bundle
from service.engine.correcting import relations

Arrays = dict[str, NDArray[Any]]


def constants(bundle: Bundle, put: Callable[[NDArray[Any]], Any]) -> dict[str, dict[str, Any]]:
    """Device tensors by graph file and input name; what several graphs read is put there once."""
    manifest, tables, trie = bundle.manifest, bundle.tables, bundle.trie
    first = slice(1, int(trie.level_start[2]))
    item_rows = {"item_rows": put(tables.item_rows)}
    reward_rows = {"rows": put(tables.rows), "row": put(tables.row)}
    held: dict[str, dict[str, Any]] = {
        contract.ENCODER.file: item_rows,
        contract.EXTEND.file: item_rows,
        contract.CONTEXT.file: {
            "first_rows": put(tables.rows[tables.row[first]].astype(np.float32)),
            "first_code": put(trie.code[first]),
        },
        contract.PRM.file: reward_rows,
        contract.VOTES.file: reward_rows,
        contract.SCAN.file: {name: put(array) for name, array in _leaves(bundle).items()},
    }
    if manifest.correction:
        held[contract.CORRECTION.file] = {name: put(array) for name, array in relations(bundle).items()}
    arrays: Arrays = {
        "first_child": trie.first_child[:-1, None],
        "end_child": trie.first_child[1:, None],
        "code": trie.code,
        "parent": trie.parent,
    }
    shared = {name: put(array) for name, array in arrays.items()}
    for level in range(1, manifest.depth):
        signature = contract.generator(manifest.dims.decoder_layers, level)
        own = {name: shared[name] for name in signature.inputs if name in shared}
        held[signature.file] = own | {"children": put(np.arange(trie.branching(level), dtype=np.int32))}
    return held


def _leaves(bundle: Bundle) -> Arrays:
    """For the scan: every leaf and its row."""
    if not bundle.manifest.exact:
        return {}
    leaves = np.arange(bundle.trie.first_leaf, bundle.trie.nodes, dtype=np.int32)
    rows = bundle.tables.rows[bundle.tables.row[leaves]].astype(np.float32)
    return {"leaf_rows": rows, "leaves": leaves}
