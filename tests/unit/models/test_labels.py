"""Values and labels of steps against the whole trie, summed leaf by leaf."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import CODES, made_sids
from torch import Tensor

from models.catalogue import CatalogueTensors
from models.labels import first, progress_labels, rewards_below, soft_targets, values

DEPTH = 3


@st.composite
def positions(draw: st.DrawFn) -> tuple[CatalogueTensors, Tensor, Tensor, list[Tensor]]:
    """A catalogue, slots [P,S] (some empty, some twice), their rewards, and π of every prefix of every depth [P,V]."""
    count, seed = draw(st.integers(2, 60)), draw(st.integers(0, 999))
    catalogue = CatalogueTensors(made_sids(count, seed=seed), CODES, None)
    rng = np.random.default_rng(seed)
    places, slots = draw(st.integers(1, 5)), draw(st.integers(1, 6))
    worth = np.where(rng.random(count + 1) < 0.8, rng.random(count + 1) + 0.01, 0.0)
    goals = rng.integers(0, count + 1, (places, slots))
    rewards = torch.from_numpy(np.where(goals > 0, worth[goals], 0.0))
    shares = []
    for b in range(DEPTH):
        owner = np.repeat(
            np.arange(len(catalogue.get_buffer(f"first_{b}")) - 1), np.diff(catalogue.get_buffer(f"first_{b}"))
        )
        weight = rng.random((places, len(owner))) ** 3 + 1e-3
        total = np.zeros((places, owner.max() + 1))
        np.add.at(total.T, owner, weight.T)
        shares.append(torch.from_numpy(weight / total[:, owner]))
    return catalogue, torch.from_numpy(goals), rewards, shares


def on_slots(catalogue: CatalogueTensors, goals: Tensor, shares: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    prefixes = [catalogue.member(b)[goals] for b in range(DEPTH)]
    return prefixes, [share.gather(1, prefix) for share, prefix in zip(shares, prefixes, strict=True)]


def on_the_trie(catalogue: CatalogueTensors, goals: Tensor, rewards: Tensor, shares: list[Tensor]) -> list[Tensor]:
    """V [P, V_b] of every prefix of depths 0 .. d: each item's reward by the probability of its path from there."""
    items = torch.zeros(len(goals), catalogue.items + 1, dtype=rewards.dtype).scatter_reduce(1, goals, rewards, "amax")
    items[:, 0] = 0
    found = []
    for depth in range(DEPTH + 1):
        chance = torch.ones(len(goals), catalogue.items, dtype=rewards.dtype)
        for b in range(depth, DEPTH):
            chance = chance * shares[b][:, catalogue.member(b)[1:]]
        owner = catalogue.member(depth - 1)[1:] if depth else torch.zeros(catalogue.items, dtype=torch.long)
        width = catalogue.counts[depth - 1] if depth else 1
        total = torch.zeros(len(goals), width, dtype=rewards.dtype)
        found.append(total.index_add(1, owner, chance * items[:, 1:]))
    return found


@settings(max_examples=60, deadline=None)
@given(positions())
def test_values_are_those_of_the_whole_trie(made: tuple[CatalogueTensors, Tensor, Tensor, list[Tensor]]) -> None:
    catalogue, goals, rewards, shares = made
    prefixes, own = on_slots(catalogue, goals, shares)
    found = values(prefixes, rewards, own)
    every = on_the_trie(catalogue, goals, rewards, shares)
    torch.testing.assert_close(found[0], every[0].expand_as(found[0]))
    for value, prefix, whole in zip(found[1:], prefixes, every[1:], strict=True):
        torch.testing.assert_close(value, whole.gather(1, prefix))


@settings(max_examples=60, deadline=None)
@given(positions(), st.sampled_from([0.0, 0.3, 0.8, 1.0]))
def test_a_step_is_right_while_progress_lasts(
    made: tuple[CatalogueTensors, Tensor, Tensor, list[Tensor]], epsilon: float
) -> None:
    catalogue, goals, rewards, shares = made
    prefixes, own = on_slots(catalogue, goals, shares)
    found = values(prefixes, rewards, own)
    labels = torch.stack(progress_labels(found, epsilon))
    for place in range(goals.shape[0]):
        for slot in range(goals.shape[1]):
            way, right = [float(value[place, slot]) for value in found], True
            for b in range(DEPTH):
                right = right and way[b] > 0 and way[b + 1] > 0 and way[b + 1] / way[b] >= epsilon
                assert bool(labels[b, place, slot]) == right
    looser = torch.stack(progress_labels(found, epsilon / 2))
    assert bool((looser | ~labels).all()), "a smaller epsilon takes nothing away"


@settings(max_examples=40, deadline=None)
@given(positions(), st.sampled_from([0.0, 0.8, 1.0]))
def test_a_single_exact_target_gives_the_prefix_label(
    made: tuple[CatalogueTensors, Tensor, Tensor, list[Tensor]], epsilon: float
) -> None:
    """No step on the way to the only reward can fall behind: V(prefix) = π(child) V(child) ≤ V(child)."""
    catalogue, goals, _, shares = made
    goals = goals.clamp(min=1)
    prefixes, own = on_slots(catalogue, goals, shares)
    reward = (goals == goals[:, :1]).double()
    found = values(prefixes, reward, own)
    for prefix, label, value in zip(prefixes, progress_labels(found, epsilon), found[1:], strict=True):
        assert torch.equal(label, prefix == prefix[:, :1])
        weights = soft_targets(prefix, label, value)
        assert torch.equal(weights, (torch.arange(goals.shape[1]) == 0).double().expand_as(weights))


@settings(max_examples=60, deadline=None)
@given(positions())
def test_every_prefix_is_weighed_once(made: tuple[CatalogueTensors, Tensor, Tensor, list[Tensor]]) -> None:
    catalogue, goals, rewards, shares = made
    prefixes, own = on_slots(catalogue, goals, shares)
    found = values(prefixes, rewards, own)
    for prefix, label, value in zip(prefixes, progress_labels(found, 0.8), found[1:], strict=True):
        weights = soft_targets(prefix, label, value)
        torch.testing.assert_close(weights.sum(1), torch.ones(len(goals), dtype=weights.dtype))
        assert bool((weights >= 0).all())
        right = (label & (value > 0)).any(1)
        assert bool((weights[~first(prefix)] == 0).all())
        assert bool((weights[right][~label[right]] == 0).all())
        lost = torch.zeros(goals.shape[1], dtype=weights.dtype)
        lost[0] = 1
        assert torch.equal(weights[~right], lost.expand_as(weights[~right]))


@settings(max_examples=40, deadline=None)
@given(positions())
def test_rewards_below_count_every_item_once(made: tuple[CatalogueTensors, Tensor, Tensor, list[Tensor]]) -> None:
    catalogue, goals, rewards, _ = made
    prefixes = [catalogue.member(b)[goals] for b in range(DEPTH)]
    worth: list[dict[int, float]] = []
    for row, reward in zip(goals.tolist(), rewards.tolist(), strict=True):
        worth.append({item: value for item, value in zip(row, reward, strict=True) if item})
    for b, prefix in enumerate(prefixes):
        found = rewards_below(prefix, prefixes[-1], rewards)
        for place, items in enumerate(worth):
            for slot, name in enumerate(prefix[place].tolist()):
                below = sum(value for item, value in items.items() if int(catalogue.member(b)[item]) == name)
                assert abs(float(found[place, slot]) - below) < 1e-9


def test_a_step_to_the_lesser_branch_is_no_progress() -> None:
    """Two rewarded items under one parent, the likelier one worth eight times the other."""
    prefixes = [torch.tensor([[0, 0]]), torch.tensor([[0, 1]])]
    found = values(prefixes, torch.tensor([[0.8, 0.1]]), [torch.tensor([[0.5, 0.5]]), torch.tensor([[0.6, 0.3]])])
    torch.testing.assert_close(torch.stack(found)[:, 0], torch.tensor([[0.255, 0.255], [0.51, 0.51], [0.8, 0.1]]))
    labels = progress_labels(found, 0.8)
    assert [label[0].tolist() for label in labels] == [[True, True], [True, False]]
    assert progress_labels(found, 0.0)[1][0].tolist() == [True, True]
