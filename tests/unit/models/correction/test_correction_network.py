"""The correction as a function: which features a pair has, and what must not change its rewards."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_corrected import RECIPE, made_correction
from torch import Tensor

from models.correction.network import COUNTED, Correction, Related
from models.correction.relations import Relations

ITEMS = 40
CORRECTED = made_correction(ITEMS)
MODEL, RELATIONS = CORRECTED.model, CORRECTED.relations
RELATED = Related(RELATIONS)
Rows = Sequence[int]
newest = st.lists(st.integers(0, ITEMS), min_size=1, max_size=RECIPE.newest)
candidates = st.lists(st.integers(0, ITEMS), min_size=1, max_size=9)


@torch.no_grad()
def rewards(
    history: Rows, some: Rows, inner: Sequence[float] | None = None, strange: Sequence[bool] | None = None
) -> Tensor:
    """[C] of one list; the inner products fall by one a place unless they are given."""
    past, listed = torch.tensor([list(history)]), torch.tensor([list(some)])
    given_rewards = torch.tensor([list(inner) if inner else range(0, -len(some), -1)], dtype=torch.float32)
    odd = None if strange is None else torch.tensor([list(strange)])
    found: Tensor = MODEL(RELATED(past, listed), past > 0, RELATED.popularity[listed], given_rewards, odd)[0]
    return found


def features(relations: Relations, item: int, past: int) -> list[float]:
    """Of one pair, by hand."""
    profiles = np.split(relations.profiles.astype(np.float64), relations.groups, axis=1)
    near = sum(relations.together[past][relations.neighbour[past] == item].tolist())
    then = sum(relations.after[past][relations.follower[past] == item].tolist())
    taken = np.expm1(relations.popularity.astype(np.float64)) + 1
    cosine = near / np.sqrt(taken[item] * taken[past])
    return [*(float(group[item] @ group[past]) for group in profiles), np.log1p(near), cosine, np.log1p(then)]


@settings(max_examples=30, deadline=None)
@given(newest, candidates)
def test_every_pair_has_the_features_that_its_two_items_give_it(history: list[int], some: list[int]) -> None:
    found = RELATED(torch.tensor([history]), torch.tensor([some]))[0]
    assert found.shape == (len(some), len(history), RELATED.features)
    wanted = [[features(RELATIONS, item, past) for past in history] for item in some]
    np.testing.assert_allclose(found.numpy(), wanted, atol=1e-4)


def test_some_pairs_stood_together() -> None:
    found = RELATED(torch.arange(1, ITEMS + 1)[None], torch.arange(1, ITEMS + 1)[None])
    assert (found[..., -3:] > 0).flatten(0, 2).float().mean(0).gt(0.02).all()


def test_what_was_never_fitted_keeps_the_inner_product() -> None:
    fresh = Correction(RELATED.features, RECIPE).eval()
    inner = torch.tensor([[3.0, 2.5, -1.0, -250.0]])
    some, past = torch.tensor([[5, 6, 7, 8]]), torch.tensor([[1, 2]])
    found = fresh(RELATED(past, some), past > 0, RELATED.popularity[some], inner)
    assert torch.equal(found, inner)
    assert RELATED.features == RELATIONS.groups + len(COUNTED)


@settings(max_examples=30, deadline=None)
@given(newest, candidates, st.floats(-50, 50))
def test_a_correction_depends_on_the_distance_to_the_best_alone(
    history: list[int], some: list[int], shift: float
) -> None:
    inner = [-float(place) for place in range(len(some))]
    moved = rewards(history, some, [reward + shift for reward in inner])
    wanted = rewards(history, some, inner) + MODEL.scale.detach() * shift
    torch.testing.assert_close(moved, wanted, atol=1e-3, rtol=1e-4)


@settings(max_examples=50, deadline=None)
@given(newest, candidates, st.integers(1, 6))
def test_padding_behind_a_history_changes_nothing(history: list[int], some: list[int], more: int) -> None:
    """Also where no item of the history is known."""
    torch.testing.assert_close(rewards([*history, *[0] * more], some), rewards(history, some), atol=1e-5, rtol=1e-5)


@settings(max_examples=30, deadline=None)
@given(newest, candidates, candidates)
def test_a_reward_does_not_depend_on_the_rest_of_the_list(history: list[int], some: list[int], rest: list[int]) -> None:
    longer = rewards(history, [*some, *rest])[: len(some)]
    torch.testing.assert_close(longer, rewards(history, some), atol=1e-5, rtol=1e-5)


@settings(max_examples=50, deadline=None)
@given(newest, candidates, st.data())
def test_the_strange_are_corrected_by_as_much_as_the_others_on_average(
    history: list[int], some: list[int], data: st.DataObject
) -> None:
    strange = data.draw(st.lists(st.booleans(), min_size=len(some), max_size=len(some)))
    inner = torch.arange(0.0, -len(some), -1)
    with torch.no_grad():
        scaled = MODEL.scale * inner
    plain, found = rewards(history, some) - scaled, rewards(history, some, strange=strange) - scaled
    odd = torch.tensor(strange)
    torch.testing.assert_close(found[~odd], plain[~odd], atol=1e-5, rtol=1e-5)
    wanted = plain[~odd].mean() if (~odd).any() else torch.zeros(())
    torch.testing.assert_close(found[odd], wanted.expand(int(odd.sum())), atol=1e-4, rtol=1e-4)


def test_the_history_and_its_order_matter() -> None:
    some = list(range(1, 10))
    one, turned, other = rewards([11, 12, 13], some), rewards([13, 12, 11], some), rewards([21, 22, 23], some)
    assert (one - turned).abs().max() > 1e-3
    assert (one - other).abs().max() > 1e-3


@pytest.mark.parametrize("place", [0, 1, 2])
def test_an_unknown_item_of_the_history_counts_for_nothing_but_its_place(place: int) -> None:
    history = [11, 12, 13]
    history[place] = 0
    found = rewards(history, [1, 2, 3])
    assert found.isfinite().all()
    assert (found - rewards([11, 12, 13], [1, 2, 3])).abs().max() > 1e-4
