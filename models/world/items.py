"""A synthetic world: items with latent vectors from a hierarchy of topics, users who walk among their interests.

It stands in for a catalogue of a size that no public dataset has. Everything follows from the seed.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

I32 = NDArray[np.int32]
F32 = NDArray[np.float32]


@dataclass(frozen=True)
class Habits:
    """How users move: chance to switch to another interest, to drift to a neighbouring subtopic, and what draws them.

    The next item is the best of `candidates` drawn by popularity from the subtopic, by (a user's taste + nearness ·
    offset of the last item) · offset + Gumbel noise; an offset is an item minus its subtopic's centre. Tastes have the
    items' own spectrum, `taste` times as wide: people differ most where items do.
    """

    interests: int = 3
    switch: float = 0.25
    drift: float = 0.1
    neighbours: int = 6
    candidates: int = 10
    taste: float = 3.0
    nearness: float = 1.0


@dataclass(frozen=True)
class WorldRecipe:
    """Sizes and spreads; a spread is the standard deviation of what a level adds, relative to the topics'.

    `decay`: the j-th of the `dimensions` has standard deviation (1 + j / 8) ** -decay, as embeddings have a spectrum
    that falls; `zipf`: item popularity is rank ** -zipf; `text_noise`: what the features add to the latent vector.
    """

    items: int = 1_000_000
    topics: int = 300
    subtopics: int = 60
    dimensions: int = 48
    decay: float = 1.25
    subtopic_spread: float = 0.7
    item_spread: float = 0.25
    text_noise: float = 0.02
    zipf: float = 0.6
    users: int = 240_000
    shortest: int = 10
    longest: int = 20
    habits: Habits = field(default_factory=Habits)
    seed: int = 0

    @property
    def spectrum(self) -> F32:
        """float32 [E]: standard deviation of the topics in every dimension."""
        return np.asarray((1 + np.arange(self.dimensions) / 8) ** -self.decay, np.float32)


@dataclass(frozen=True)
class World:
    """Items stand sorted by subtopic; row r (1-based) of a dataset is item `order[r - 1]`.

    latent float32 [I, E]; weight float64 [I] popularity; start int64 [S + 1]: items of subtopic s are
    start[s] .. start[s + 1]; centre float32 [S, E]; subtopic s belongs to topic s // recipe.subtopics.
    """

    recipe: WorldRecipe
    latent: F32
    weight: NDArray[np.float64]
    start: NDArray[np.int64]
    centre: F32

    @property
    def subtopic(self) -> NDArray[np.int64]:
        """int64 [I]: the subtopic of every item."""
        return np.repeat(np.arange(len(self.centre)), np.diff(self.start))


def make_world(recipe: WorldRecipe) -> World:
    """Topics, subtopics around them, items around those; sizes of subtopics are lognormal."""
    rng = np.random.default_rng([recipe.seed, 0])

    def noise(count: int) -> F32:
        return rng.standard_normal((count, recipe.dimensions), np.float32) * recipe.spectrum

    groups = recipe.topics * recipe.subtopics
    centre = np.repeat(noise(recipe.topics), recipe.subtopics, axis=0) + recipe.subtopic_spread * noise(groups)
    share = rng.lognormal(0.0, 0.5, groups)
    sizes = rng.multinomial(recipe.items, share / share.sum())
    latent = np.repeat(centre, sizes, axis=0) + recipe.item_spread * noise(recipe.items)
    weight = np.asarray((1.0 + rng.permutation(recipe.items)) ** -recipe.zipf, np.float64)
    return World(recipe, latent, weight, np.concatenate([[0], np.cumsum(sizes)]), centre)


def features(world: World) -> NDArray[np.float16]:
    """What is known of every item, float16 [I, E + 1]: its latent vector with noise, and a noisy log popularity."""
    recipe, rng = world.recipe, np.random.default_rng([world.recipe.seed, 1])
    seen = world.latent + recipe.text_noise * rng.standard_normal(world.latent.shape, np.float32)
    fame = np.log(world.weight)
    fame = (fame - fame.mean()) + recipe.text_noise * rng.standard_normal(len(fame))
    return np.concatenate([seen, fame[:, None]], axis=1).astype(np.float16)
