"""Encoders with random weights and long windows, as graphs: whole, extended by states, extended by keys and values.

Runs as its own process, so that the one that times the graphs never imports torch.
Usage: python -m loadtest.bench.workers.histories_export FOLDER. FOLDER/models.json: {name: network recipe}; the graphs
and arrays of each go to FOLDER/name.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch

from loadtest.bench.histories_sizes import ARRAYS, CODES, DEPTH, EXTEND, ITEMS, KEYS_VALUES, MODELS, WHOLE
from loadtest.bench.workers.histories_kv import keys_values_graph
from models.graphs.encoder import encoder_graph
from models.graphs.extend import extend_graph
from models.network import Promise
from models.recipe import NetworkRecipe


def catalogue(seed: int = 0) -> np.ndarray[tuple[int, int], np.dtype[np.int32]]:
    """Distinct paths [I,d]."""
    drawn = np.random.default_rng(seed).choice(CODES**DEPTH, ITEMS, replace=False)
    return np.stack(np.unravel_index(drawn, (CODES,) * DEPTH), 1).astype(np.int32)


@torch.no_grad()
def write(recipe: NetworkRecipe, folder: Path) -> None:
    """Three graphs of one network, and what they read: sids [I+1,d] and item_rows f16 [I+1,D]."""
    torch.manual_seed(0)
    network = Promise(catalogue(), CODES, None, recipe).eval()
    graphs = {
        WHOLE: encoder_graph(network),
        EXTEND: extend_graph(network),
        KEYS_VALUES: keys_values_graph(network),
    }
    folder.mkdir(parents=True)
    for name, model in graphs.items():
        (folder / name).write_bytes(model.SerializeToString())
    rows = network.features.rows(network.catalogue).half().numpy()
    np.savez(folder / ARRAYS, item_rows=rows, sids=network.catalogue.sids.numpy().astype(np.int32))


def main(folder: Path) -> None:
    for name, recipe in json.loads((folder / MODELS).read_text()).items():
        write(NetworkRecipe(**recipe), folder / name)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]))
