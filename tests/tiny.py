"""Everything tiny: codes, recipes, networks and datasets that train and export in seconds on one thread."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from models import export
from models.dataset import Dataset, Items, content_digest
from models.listing import Listing
from models.manifest import Manifest, Provenance, Scoring
from models.network import Promise
from models.recipe import NetworkRecipe, PrmForm, TrainingRecipe

I32 = NDArray[np.int32]
F16 = NDArray[np.float16]

CODES, DEPTH, HISTORY, BUNDLE_ITEMS = 6, 3, 8, 90
SIZES = NetworkRecipe(width=16, heads=2, head_width=8, feed_forward=32, history=HISTORY, dropout=0.1)
TRAINING = TrainingRecipe(epochs=4, users=8, precision="float32", negatives=5, cross_positions=12, validate_every=1)


def made_sids(items: int, codes: int = CODES, depth: int = DEPTH, seed: int = 0) -> I32:
    """Distinct random paths [I, d]."""
    paths = np.random.default_rng(seed).permutation(codes**depth)[:items]
    return np.stack(np.unravel_index(paths, (codes,) * depth), 1).astype(np.int32)


def made_text(items: int, dimensions: int = 6, seed: int = 0) -> F16:
    return np.random.default_rng(seed).normal(size=(items, dimensions)).astype(np.float16)


def made_network(
    items: int = 40,
    *,
    forms: tuple[PrmForm, ...] = ("inner",),
    text: bool = True,
    loud: bool = False,
    depth: int = DEPTH,
    sizes: NetworkRecipe = SIZES,
) -> Promise:
    """A network in evaluation mode with random weights; `loud`: large ones, so that no two scores are near."""
    torch.manual_seed(0)
    sizes = replace(sizes, prm=forms)
    network = Promise(made_sids(items, depth=depth), CODES, made_text(items) if text else None, sizes, TRAINING)
    if "cross" in forms and network.cross is None:
        network.attach_cross()
    if loud:
        with torch.no_grad():
            for weights in network.parameters():
                weights.add_(torch.randn_like(weights) * 0.25)
    return network.eval()


def made_sequences(users: int, items: int, longest: int = 11, seed: int = 0) -> list[I32]:
    """Histories of 3 to `longest` different item rows."""
    rng = np.random.default_rng(seed)
    return [(rng.permutation(items)[: rng.integers(3, longest + 1)] + 1).astype(np.int32) for _ in range(users)]


def made_dataset(sequences: Sequence[Sequence[int] | I32], items: int, text: F16 | None = None) -> Dataset:
    """A dataset of these item rows; users u000 …, items i000 …, one interaction a day."""
    rows = [np.asarray(sequence, np.int32) for sequence in sequences]
    ids, users = [f"i{n:03}" for n in range(items)], [f"u{n:03}" for n in range(len(rows))]
    facts = Items(ids, text, [("all", f"kind {n % 3}") for n in range(items)], [""] * items, [""] * items)
    times = [np.arange(len(sequence), dtype=np.int64) * 86_400 for sequence in rows]
    return Dataset("tiny", facts, users, rows, times, 0, content_digest(ids, users, rows))


def made_listing(items: int) -> Listing:
    names = [f"i{n:03}" for n in range(items)]
    samples = [names[2:6], names[9:15]]
    return Listing(names, np.arange(items, dtype=np.int32) % 7, ["all > some"] * items, ["a brand"] * items, samples)


PROVENANCE = Provenance(
    dataset="tiny", dataset_digest="", users=0, interactions=0, train_digest="", seed=0, epochs=0, recipe={}
)


@dataclass(frozen=True)
class Bundles:
    """One network, random weights, both forms of the PRM over one trunk, and its exported bundle in either form."""

    network: Promise
    inner: Path
    cross: Path


def made_bundles(folder: Path) -> Bundles:
    network = made_network(BUNDLE_ITEMS, forms=("inner", "cross"), loud=True)
    export_bundle(network, "inner", folder / "inner")
    export_bundle(network, "cross", folder / "cross")
    return Bundles(network, folder / "inner", folder / "cross")


def export_bundle(network: Promise, form: PrmForm, folder: Path) -> Manifest:
    """A bundle over items i000 …"""
    return export.write_bundle(
        folder,
        network,
        form,
        made_listing(network.catalogue.items),
        PROVENANCE,
        name="tiny",
        version="1",
        setting="none",
        scoring=Scoring(leaf=0.0, prefix=0.0),
        metrics={},
    )


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    """Are all parameters equal to the bit?"""
    mine, others = one.state_dict(), other.state_dict()
    return mine.keys() == others.keys() and all(torch.equal(mine[name], others[name]) for name in mine)


def padded(histories: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Histories of item rows → (items [B,T] padded on the right, lengths [B])."""
    longest = max(map(len, histories))
    items = torch.tensor([[*rows, *[0] * (longest - len(rows))] for rows in histories])
    return items, torch.tensor([len(rows) for rows in histories])
