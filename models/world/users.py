"""The users of a synthetic world: each walks among a few interests (subtopics), by taste, nearness and popularity."""

import numpy as np
from numpy.typing import NDArray

from models.world.items import F32, I32, Habits, World

I64 = NDArray[np.int64]


def make_users(world: World, habits: Habits | None = None) -> list[I32]:
    """Items (0-based, in the world's order) that every user takes, in time order; no item twice."""
    habits = habits or world.recipe.habits
    recipe, rng = world.recipe, np.random.default_rng([world.recipe.seed, 2])
    near = _neighbours(world, habits.neighbours)
    interest = _interests(world, habits, near, rng)
    taste = rng.standard_normal((recipe.users, recipe.dimensions), np.float32) * recipe.spectrum * habits.taste
    active, last = np.zeros(recipe.users, np.int64), np.zeros((recipe.users, recipe.dimensions), np.float32)
    taken = np.empty((recipe.users, recipe.longest), np.int64)
    edge = np.concatenate([[0.0], np.cumsum(world.weight)])
    everyone = np.arange(recipe.users)
    for step in range(recipe.longest):
        moves = rng.random(recipe.users) < habits.switch
        active[moves] = rng.integers(0, habits.interests, int(moves.sum()))
        drifts = np.flatnonzero(rng.random(recipe.users) < habits.drift)
        place = rng.integers(0, habits.neighbours, len(drifts))
        interest[drifts, active[drifts]] = near[interest[drifts, active[drifts]], place]
        here = interest[everyone, active]
        taken[:, step] = _choose(world, edge, here, taste + habits.nearness * last, habits.candidates, rng)
        last = world.latent[taken[:, step]] - world.centre[here]
    lengths = rng.integers(recipe.shortest, recipe.longest + 1, recipe.users)
    return [_once(row[:length]) for row, length in zip(taken, lengths, strict=True)]


def _neighbours(world: World, count: int) -> I64:
    """[S, count]: the nearest subtopics of the same topic."""
    topics, each = world.recipe.topics, world.recipe.subtopics
    centre = world.centre.reshape(topics, each, -1)
    squared = (centre**2).sum(2)
    distance = squared[:, :, None] + squared[:, None] - 2 * centre @ centre.transpose(0, 2, 1)
    found = np.argsort(distance, axis=2, kind="stable")[:, :, 1 : count + 1]
    return (found + np.arange(topics)[:, None, None] * each).reshape(topics * each, -1)


def _interests(world: World, habits: Habits, near: I64, rng: np.random.Generator) -> I64:
    """[U, interests]: subtopics by the popularity of their items; every other interest lies near the first."""
    mass = np.add.reduceat(world.weight, np.minimum(world.start[:-1], len(world.weight) - 1))
    mass[np.diff(world.start) == 0] = 0.0
    found = rng.choice(len(mass), (world.recipe.users, habits.interests), p=mass / mass.sum())
    found[:, 1::2] = near[found[:, :1], rng.integers(0, near.shape[1], found[:, 1::2].shape)]
    return found


def _choose(
    world: World, edge: NDArray[np.float64], here: I64, drawn_to: F32, candidates: int, rng: np.random.Generator
) -> I64:
    low, high = edge[world.start[here]], edge[world.start[here + 1]]
    point = low[:, None] + rng.random((len(here), candidates)) * (high - low)[:, None]
    item = np.searchsorted(edge, point, side="right") - 1
    item = np.clip(item, 0, len(world.weight) - 1)
    offset = world.latent[item] - world.centre[here][:, None]
    score = np.einsum("uce,ue->uc", offset, drawn_to) + rng.gumbel(size=item.shape)
    return np.take_along_axis(item, score.argmax(1)[:, None], 1)[:, 0]


def _once(row: I64) -> I32:
    """The items of a walk at their first visit."""
    _, first = np.unique(row, return_index=True)
    return row[np.sort(first)].astype(np.int32)
