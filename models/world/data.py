"""A world as a dataset: item rows in seeded random order, categories, features, one interaction an hour."""

import numpy as np
from numpy.typing import NDArray

from models.dataset import FEWEST_EVALUATED, Dataset, Items, content_digest
from models.world.items import I32, World, WorldRecipe, features, make_world
from models.world.users import make_users


def make_dataset(recipe: WorldRecipe) -> Dataset:
    """The dataset of this recipe; the same recipe gives the same one, to the bit."""
    world = make_world(recipe)
    order = np.random.default_rng([recipe.seed, 3]).permutation(recipe.items)
    row = np.argsort(order).astype(np.int32) + 1
    sequences = [row[walk] for walk in make_users(world) if len(walk) >= FEWEST_EVALUATED]
    ids = [f"w{number:08d}" for number in range(recipe.items)]
    users = [f"u{number:07d}" for number in range(len(sequences))]
    digest = content_digest(ids, users, sequences)
    return Dataset("world", _items(world, ids, order), users, sequences, _times(sequences), recipe.seed, digest)


def _items(world: World, ids: list[str], order: NDArray[np.int64]) -> Items:
    each = world.recipe.subtopics
    names = [(f"topic {s // each:03d}", f"subtopic {s % each:02d}") for s in range(len(world.centre))]
    category = [names[subtopic] for subtopic in world.subtopic[order]]
    nothing = [""] * len(ids)
    return Items(ids, features(world)[order], category, nothing, nothing)


def _times(sequences: list[I32]) -> list[NDArray[np.int64]]:
    return [np.arange(len(sequence), dtype=np.int64) * 3600 for sequence in sequences]
