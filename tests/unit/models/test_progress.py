"""Graded rewards, the generator's own shares, and the loss that learns from progress."""

from typing import Any

import pytest
import torch
from loud import ITEMS, batch, made
from tiny import CODES, DEPTH, made_sids, made_text
from torch import Tensor

from models.catalogue import CatalogueTensors
from models.layers import causal_mask
from models.network import Promise
from models.prm_losses import inner_loss
from models.progress import GRADE, Alike, alike_rewards, next_rewards, shares, steps
from models.recipe import RecipeError
from models.reference import logits_of


def encoded(network: Promise, items: Tensor) -> Tensor:
    return network.encode(items, network.features.rows(network.catalogue))


def test_rewards_halve_with_every_further_item() -> None:
    targets = torch.tensor([[5, 6, 7], [8, 0, 0]])
    goals, rewards = next_rewards(targets, targets > 0, 3)
    assert goals.tolist() == [[5, 6, 7], [6, 7, 0], [7, 0, 0], [8, 0, 0]]
    assert rewards.tolist() == [[1, 0.5, 0.25], [1, 0.5, 0], [1, 0, 0], [1, 0, 0]]


def test_items_like_the_target_earn_less_than_it() -> None:
    text = made_text(ITEMS)
    text[7] = text[3]
    catalogue = CatalogueTensors(made_sids(ITEMS), CODES, text)
    alike = Alike.of(catalogue, 5)
    assert int(alike.items[4, 0]) == 8, "the same words"
    unit = torch.nn.functional.normalize(catalogue.text, dim=1)
    for item in range(1, ITEMS + 1):
        near = alike.items[item]
        assert item not in near.tolist()
        assert 0 not in near.tolist()
        cosine = unit[near] @ unit[item]
        others = [row for row in range(1, ITEMS + 1) if row != item and row not in near.tolist()]
        assert float(cosine.min()) >= float((unit[others] @ unit[item]).max()) - 1e-6
    assert float(alike.reward.max()) <= GRADE + 1e-6
    goals, rewards = alike_rewards(torch.tensor([[4, 9]]), torch.tensor([[True, False]]), alike)
    assert goals.tolist() == [[4, *alike.items[4].tolist()]]
    assert rewards[0, 0] == 1


def test_without_text_only_the_target_earns_anything() -> None:
    catalogue = CatalogueTensors(made_sids(ITEMS), CODES, None)
    alike = Alike.of(catalogue, 5)
    assert alike.items.shape == (ITEMS + 1, 0)
    goals, rewards = alike_rewards(torch.tensor([[4]]), torch.tensor([[True]]), alike)
    assert (goals.tolist(), rewards.tolist()) == ([[4]], [[1.0]])


def test_shares_are_the_generators_own() -> None:
    """Against one query a position and prefix over a history that ends there."""
    network, (items, targets) = made(), batch()
    where, memory = targets > 0, encoded(network, items)
    goals = torch.randint(1, ITEMS + 1, (int(where.sum()), 4))
    prefixes = [network.catalogue.member(b)[goals] for b in range(DEPTH)]
    found = shares(network, memory, where, prefixes)
    place = where.nonzero()
    for number, (user, position) in enumerate(place.tolist()):
        past, length = memory[user : user + 1, : position + 1], torch.tensor([position + 1])
        for slot in range(4):
            codes = network.catalogue.sids[goals[number, slot]]
            for b in range(DEPTH):
                prefix = torch.full((1, 1, DEPTH), -1)
                prefix[0, 0, :b] = codes[:b]
                logits = logits_of(network, past, length, prefix, torch.tensor(b))[0, 0]
                above = network.catalogue.member(b - 1)[goals[number, slot]] if b else torch.tensor(0)
                legal = network.catalogue.next_codes(b, above[None])[0]
                wanted = logits.masked_fill(~legal, -torch.inf).softmax(0)[codes[b]]
                torch.testing.assert_close(found[b][number, slot], wanted, rtol=1e-4, atol=1e-5)


def test_values_of_next_items_are_sums_over_the_whole_catalogue() -> None:
    network, (items, targets) = made(labels="progress", positives=3), batch(4)
    where, memory = targets > 0, encoded(network, items)
    found = steps(network, memory, targets, where)
    goals, rewards = next_rewards(targets, where, 3)
    every = torch.arange(1, ITEMS + 1).expand(int(where.sum()), -1)
    chance = shares(network, memory, where, [network.catalogue.member(b)[every] for b in range(DEPTH)])
    worth = torch.zeros(len(goals), ITEMS + 1).scatter_reduce(1, goals, rewards, "amax")[:, 1:]
    torch.testing.assert_close(found.value[0][:, 0], (chance[0] * chance[1] * chance[2] * worth).sum(1))
    below = network.catalogue.member(0)[every] == found.prefixes[0][:, :1]
    torch.testing.assert_close(found.value[1][:, 0], (below * chance[1] * chance[2] * worth).sum(1))


@pytest.mark.parametrize(
    "changes", [{"positives": 3}, {"graded": "similar", "alike": 4}, {"credit": "reward", "positives": 2}]
)
def test_the_loss_is_the_cross_entropy_to_what_makes_progress(changes: dict[str, Any]) -> None:
    network, (items, targets) = made(labels="progress", epsilon=0.8, **changes), batch()
    where, rows = targets > 0, network.features.rows(network.catalogue)
    memory = network.encode(items, rows)
    found, wanted = steps(network, memory, targets, where), torch.zeros(())
    assert network.inner is not None
    for b in range(DEPTH):
        contexts = network.inner.contexts(memory, memory, b, causal_mask(memory.shape[1]))[where]
        log_shares = (contexts @ network.rows(b, rows, "inner").T).log_softmax(-1)
        wanted = wanted - (found.weights[b] * log_shares.gather(1, found.prefixes[b])).sum(1).mean()
    torch.testing.assert_close(inner_loss(network, memory, rows, targets, where), wanted)


def test_one_next_item_teaches_what_the_prefix_label_teaches() -> None:
    items, targets = batch()
    plain, progress = made(), made(labels="progress", positives=1)
    losses = [
        inner_loss(n, encoded(n, items), n.features.rows(n.catalogue), targets, targets > 0) for n in (plain, progress)
    ]
    torch.testing.assert_close(losses[1], losses[0])


def test_the_generator_is_asked_and_does_not_learn_from_it() -> None:
    network, (items, targets) = made(labels="progress", graded="similar"), batch()
    rows = network.features.rows(network.catalogue)
    inner_loss(network, network.encode(items, rows), rows, targets, targets > 0).backward()
    assert all(weights.grad is None for weights in network.decoder.parameters())
    assert network.decoder.training


def test_progress_goes_with_the_full_softmax_only() -> None:
    with pytest.raises(RecipeError, match="does not go with"):
        made(labels="progress", prm_loss="uniform")
