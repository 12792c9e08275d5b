"""A bundle with random weights over the benchmark's catalogue: the speed of a model without training one.

Runs as its own process, so that the worker that serves the bundle never imports torch.
Usage: python -m loadtest.bench.workers.random_bundle PRM_FORM WORLD_FOLDER BUNDLE_FOLDER.
"""

import sys
from pathlib import Path

import numpy as np
import torch

from loadtest.bench import workload
from loadtest.bench.workload import Sizes, World
from models.export import write_bundle
from models.listing import Listing
from models.manifest import Provenance, Scoring
from models.network import Promise
from models.recipe import NetworkRecipe, PrmForm


def recipe(sizes: Sizes, form: PrmForm) -> NetworkRecipe:
    """The same sizes in this project's names."""
    return NetworkRecipe(
        width=sizes.d_model,
        heads=sizes.heads,
        head_width=sizes.d_kv,
        encoder_layers=sizes.encoder_layers,
        decoder_layers=sizes.decoder_layers,
        feed_forward=sizes.d_ff,
        history=sizes.history,
        dropout=0.0,
        prm=(form,),
    )


def write(world: World, form: PrmForm, folder: Path) -> None:
    """Export a Promise network of these sizes, item ids "1" … "I", into `folder`."""
    sizes, shape = world.sizes, recipe(world.sizes, form)
    torch.manual_seed(sizes.seed)
    network = Promise(world.sids, sizes.codebook, None, shape)
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
    )


def _listing(items: int) -> Listing:
    names = [str(row) for row in range(1, items + 1)]
    return Listing(names, np.ones(items, np.int32), [""] * items, [""] * items, [])


if __name__ == "__main__":
    torch.set_num_threads(1)
    write(workload.load(Path(sys.argv[2])), "cross" if sys.argv[1] == "cross" else "inner", Path(sys.argv[3]))
