"""The project's own network at the benchmark's sizes, with random weights; torch and numpy are all it needs."""

import torch

from loadtest.bench.workload import Sizes, World
from models.network import Promise
from models.recipe import NetworkRecipe, PrmForm


def recipe(sizes: Sizes, form: PrmForm) -> NetworkRecipe:
    """The same sizes in this project's names, and T5's activation."""
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
        activation="relu",
    )


def network_of(world: World, form: PrmForm) -> Promise:
    """A network of these sizes; the same world and form give the same weights."""
    torch.manual_seed(world.sizes.seed)
    return Promise(world.sids, world.sizes.codebook, None, recipe(world.sizes, form)).eval()


def parameters(network: Promise) -> dict[str, int]:
    """Counts by part: encoder, decoder, reward model, and tables (the rows that items and prefixes learn)."""
    counts = {"encoder": 0, "decoder": 0, "prm": 0, "tables": 0}
    for name, values in network.named_parameters():
        counts[_part(name)] += values.numel()
    return counts


def _part(name: str) -> str:
    if name == "features.learned" or name.startswith("prefix_rows"):
        return "tables"
    if name.startswith(("inner.", "cross.")):
        return "prm"
    return "decoder" if name.startswith("decoder.") else "encoder"
