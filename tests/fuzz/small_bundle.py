"""The smallest bundle that loads, file by file, without a network: a dozen items, three codes, graphs of no meaning."""

import hashlib
import io
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import contract
from service.search.trie import build

ITEMS, DEPTH, CODES, WIDTH = 12, 3, 4, 4
Arrays = dict[str, NDArray[Any]]


def files() -> dict[str, bytes]:
    """Every file but the manifest."""
    graphs = [graph.file for graph in contract.graphs(1, DEPTH, "inner", corrected=True)]
    return {
        **dict.fromkeys(graphs, b"a graph that nobody opens"),
        contract.CATALOGUE: archive(catalogue()),
        contract.TABLES: archive(tables()),
        contract.RELATIONS: archive(relations()),
        contract.TITLES: b'{"item_id": "i003", "title": "A comb"}\n',
    }


def manifest(stored: dict[str, bytes]) -> dict[str, Any]:
    """A manifest with the hashes of these files."""
    dims = dict.fromkeys(("heads", "head_width", "encoder_layers", "decoder_layers", "feed_forward", "history"), 1)
    origin = {"dataset": "made", "dataset_digest": "", "users": 1, "interactions": 1, "train_digest": ""}
    return {
        "name": "small",
        "version": "1",
        "contract_version": contract.CONTRACT_VERSION,
        "setting": "none",
        "dims": {"width": WIDTH, **dims},
        "depth": DEPTH,
        "codebook": CODES,
        "items": ITEMS,
        "parameters": 1,
        "prm": "inner",
        "scoring": {"leaf": 0.0, "prefix": 0.5},
        "auto": {"tiers": ["floor", "k10"], "thresholds": [0.5], "widths": {"k10": [[10, 40]] * DEPTH}},
        "exact": True,
        "correction": {"pool": 4, "newest": 2},
        "provenance": {**origin, "seed": 0, "epochs": 1, "recipe": {}},
        "metrics": {"ndcg": 0.1},
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in stored.items()},
    }


def catalogue() -> Arrays:
    rows = np.arange(ITEMS, dtype=np.int32)
    return {
        "ids": np.array([f"i{row:03}" for row in rows]),
        "sids": np.stack(np.unravel_index(rows * 5, (CODES,) * DEPTH), 1).astype(np.int32),
        "popularity": rows % 5,
        "categories": np.array(["all > some", "all > others"]),
        "category": rows % 3 - 1,
        "brands": np.array(["a brand"]),
        "brand": -(rows % 2),
        "sample_items": np.array([1, 2, 3, 7, 8], np.int32),
        "sample_lengths": np.array([3, 2], np.int32),
    }


def tables() -> Arrays:
    trie = build(catalogue()["sids"])
    shapes = {
        "item_rows": (ITEMS + 1, WIDTH),
        "code_rows": (DEPTH, CODES, WIDTH),
        "prefix_rows": (trie.first_leaf - 1, WIDTH),
    }
    return {name: np.full(shape, 0.5, np.float16) for name, shape in shapes.items()}


def relations() -> Arrays:
    whole, wide = (ITEMS + 1, 2), (ITEMS + 1, 4)
    return {
        "profiles": np.ones(wide, np.float16),
        "popularity": np.ones(ITEMS + 1, np.float32),
        "neighbour": np.ones(whole, np.int32),
        "together": np.ones(whole, np.float16),
        "follower": np.ones(whole, np.int32),
        "after": np.ones(whole, np.float16),
    }


def archive(arrays: Arrays) -> bytes:
    """An .npz of these arrays."""
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=False, **arrays)
    return stream.getvalue()


def encoded(document: object) -> bytes:
    return json.dumps(document).encode()
