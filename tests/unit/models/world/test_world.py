"""A small world: the seed decides it all, its parts fit together, and users take what lies near their interests."""

from dataclasses import replace

import numpy as np
import pytest

from models.world.data import make_dataset
from models.world.items import Habits, World, WorldRecipe, features, make_world
from models.world.users import make_users

SMALL = WorldRecipe(items=600, topics=5, subtopics=7, dimensions=6, users=300, shortest=4, longest=9)


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(SMALL)


def test_items_stand_by_subtopic_and_near_its_centre(world: World) -> None:
    assert world.latent.shape == (SMALL.items, SMALL.dimensions)
    assert world.start[-1] == SMALL.items == len(world.subtopic)
    own = np.linalg.norm(world.latent - world.centre[world.subtopic], axis=1)
    other = np.linalg.norm(world.latent - np.roll(world.centre, SMALL.subtopics, 0)[world.subtopic], axis=1)
    assert own.mean() < 0.5 * other.mean()


def test_popularity_is_a_power_of_a_rank(world: World) -> None:
    ranked = np.sort(world.weight)[::-1]
    np.testing.assert_allclose(ranked, np.arange(1, SMALL.items + 1) ** -SMALL.zipf)
    assert not np.array_equal(ranked, world.weight)


def test_features_are_the_latent_vector_and_the_fame_but_for_noise(world: World) -> None:
    found = features(world).astype(np.float32)
    assert found.shape == (SMALL.items, SMALL.dimensions + 1)
    error = found[:, :-1] - world.latent
    assert error.std() == pytest.approx(SMALL.text_noise, rel=0.1)
    assert np.corrcoef(found[:, -1], np.log(world.weight))[0, 1] > 0.99


def test_users_take_items_once_and_as_many_as_said(world: World) -> None:
    walks = make_users(world)
    assert len(walks) == SMALL.users
    assert all(len(np.unique(walk)) == len(walk) for walk in walks)
    lengths = np.array(list(map(len, walks)))
    assert lengths.max() <= SMALL.longest
    assert min(walk.min() for walk in walks) >= 0
    assert max(walk.max() for walk in walks) < SMALL.items


def test_users_stay_in_the_topics_of_their_interests(world: World) -> None:
    topics = [len(np.unique(world.subtopic[walk] // SMALL.subtopics)) for walk in make_users(world)]
    assert max(topics) <= Habits().interests
    assert np.mean(topics) < 2.5


def test_taste_and_nearness_draw_the_next_item_near(world: World) -> None:
    def step(habits: Habits) -> float:
        walks = make_users(world, replace(habits, switch=0.0, drift=0.0))
        steps = [world.latent[walk[1:]] - world.latent[walk[:-1]] for walk in walks]
        return float(np.linalg.norm(np.concatenate(steps), axis=1).mean())

    assert step(Habits(taste=0.0, nearness=9.0)) < 0.95 * step(Habits(taste=0.0, nearness=0.0))


def test_the_seed_decides_the_dataset() -> None:
    one, same, other = (make_dataset(replace(SMALL, seed=seed)) for seed in (4, 4, 5))
    assert one.digest == same.digest != other.digest
    assert one.items.text is not None
    assert same.items.text is not None
    assert np.array_equal(one.items.text, same.items.text)


def test_a_dataset_tells_an_items_features_and_topic_by_its_row(world: World) -> None:
    dataset = make_dataset(SMALL)
    assert dataset.items.text is not None
    rows = {tuple(row): place for place, row in enumerate(features(world).tolist())}
    for row in (1, 77, SMALL.items):
        subtopic = world.subtopic[rows[tuple(dataset.items.text[row - 1].tolist())]]
        topic, name = dataset.items.category[row - 1]
        assert (topic, name) == (f"topic {subtopic // 7:03d}", f"subtopic {subtopic % 7:02d}")
    walks = [walk for walk in make_users(world) if len(walk) >= 3]
    mine = [[rows[tuple(dataset.items.text[row - 1].tolist())] for row in rows_] for rows_ in dataset.sequences[:20]]
    assert mine == [walk.tolist() for walk in walks[:20]]
