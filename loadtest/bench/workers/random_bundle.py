"""A bundle with random weights over the benchmark's catalogue: the speed of a model without training one.

Runs as its own process, so that the worker that serves the bundle never imports torch.
Usage: python -m loadtest.bench.workers.random_bundle KIND WORLD_FOLDER BUNDLE_FOLDER, KIND: inner,
cross or int8. Beside the bundle, with .json after its name, it writes the network's parameter counts.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch

from loadtest.bench import workload
from loadtest.bench.workers.random_network import network_of, parameters
from loadtest.bench.workload import World
from models.export import write_bundle
from models.integers import choose
from models.listing import Listing
from models.manifest import Provenance, Scoring
from models.recipe import PrmForm

CALIBRATION = 50  # histories


def write(world: World, form: PrmForm, folder: Path, int8: bool = False) -> None:
    """Export a Promise network of these sizes, item ids "1" … "I", into `folder`; in integers if asked."""
    sizes, network = world.sizes, network_of(world, form)
    ranges = choose(network, list(world.histories[:CALIBRATION]))[0] if int8 else None
    provenance = Provenance(
        dataset="synthetic",
        dataset_digest="",
        users=0,
        interactions=0,
        train_digest="",
        seed=sizes.seed,
        epochs=0,
        recipe={},
    )
    write_bundle(
        folder,
        network,
        form,
        _listing(sizes.items),
        provenance,
        name="bench-random",
        version="0",
        setting="none",
        scoring=Scoring(leaf=0.0, prefix=0.0),
        metrics={},
        ranges=ranges,
    )
    folder.with_name(folder.name + ".json").write_text(json.dumps(parameters(network)))


def _listing(items: int) -> Listing:
    names = [str(row) for row in range(1, items + 1)]
    return Listing(names, np.ones(items, np.int32), [""] * items, [""] * items, [])


if __name__ == "__main__":
    torch.set_num_threads(1)
    kind, given, made = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    write(workload.load(given), "cross" if kind == "cross" else "inner", made, int8=kind == "int8")
