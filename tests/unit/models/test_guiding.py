"""The generator learns the PRM's ranking of children, and the PRM does not move for it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import CODES, SIZES, TRAINING, made_sids, made_text
from torch import Tensor

from models.guiding import Children, Positions, guide_loss, student, teacher
from models.network import Promise

ITEMS = 70


@pytest.fixture
def network() -> Promise:
    torch.manual_seed(0)
    sizes = replace(SIZES, item_rows=False, dropout=0.0)
    network = Promise(made_sids(ITEMS), CODES, made_text(ITEMS), sizes, replace(TRAINING, guided=8))
    with torch.no_grad():
        for weights in network.parameters():
            weights.add_(torch.randn_like(weights) * 0.2)
    return network


def some_items(users: int = 5, length: int = 6) -> Tensor:
    return torch.randint(1, ITEMS + 1, (users, length), generator=torch.Generator().manual_seed(1))


def test_positions_are_those_marked_and_see_their_own_past() -> None:
    memory, where = torch.randn(3, 4, 16), torch.tensor([[1, 1, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0]]).bool()
    found = Positions.drawn(memory, where, 99)
    assert len(found.memory) == 6
    lengths = found.mask.sum((1, 2, 3))
    assert sorted(lengths.tolist()) == [1, 1, 2, 2, 3, 4]
    for row, length in enumerate(lengths.tolist()):
        assert torch.equal(found.newest[row, 0], found.memory[row, length - 1])
    assert len(Positions.drawn(memory, where, 2).memory) == 2


@pytest.mark.parametrize("b", [0, 1, 2])
def test_the_teacher_is_the_softmax_of_the_rewards_of_the_children(network: Promise, b: int) -> None:
    items, catalogue = some_items(), network.catalogue
    item_rows = network.features.rows(catalogue)
    memory = network.encode(items, item_rows)
    positions = Positions.drawn(memory, torch.ones_like(items, dtype=torch.bool), 9)
    parent = torch.randint(catalogue.counts[b - 1] if b else 1, (9,))
    found = teacher(network, positions, b, parent)
    drawn = found.draw(9)
    rows, codes = network.rows(b, item_rows, "inner"), catalogue.prefix_codes(b)
    above = catalogue.prefix_codes(b - 1) if b else torch.zeros(1, 0, dtype=torch.long)
    assert network.inner is not None
    lengths = positions.mask.sum((1, 2, 3))
    for n in range(9):
        mine = (codes[:, :b] == above[parent[n]]).all(1).nonzero()[:, 0]
        assert torch.equal(found.child[found.owner == n], mine)
        reward = network.inner.score(positions.memory[[n]], lengths[[n]], rows[mine][None], torch.tensor(b))[0]
        torch.testing.assert_close(found.share[found.owner == n], reward.softmax(0), rtol=1e-3, atol=1e-5)
        assert drawn[n] in mine


def test_children_are_drawn_by_their_share() -> None:
    torch.manual_seed(0)
    owner, share = torch.tensor([0, 0, 0, 1, 2, 2]), torch.tensor([0.2, 0.0, 0.8, 1.0, 0.5, 0.5])
    children = Children(owner, torch.arange(6) + 10, share)
    drawn = torch.stack([children.draw(3) for _ in range(2000)]) - 10
    counts = torch.bincount(drawn.flatten(), minlength=6) / 2000
    torch.testing.assert_close(counts, share, rtol=0.0, atol=0.05)
    assert counts[1] == 0


def test_only_the_generator_and_the_encoding_learn_from_it(network: Promise) -> None:
    items = some_items()
    memory = network.encode(items, None)
    guide_loss(network, memory, torch.ones_like(items, dtype=torch.bool), 9).backward()
    moved = {name.split(".")[0] for name, weights in network.named_parameters() if weights.grad is not None}
    assert "decoder" in moved
    assert not moved & {"inner", "prefix_rows"}


def test_descending_it_brings_the_generator_to_the_prm(network: Promise) -> None:
    items, where = some_items(), torch.ones(5, 6, dtype=torch.bool)
    memory = network.encode(items, None).detach()
    optimizer = torch.optim.Adam(network.decoder.parameters(), 0.02)

    def gap() -> float:
        """Mean Kullback-Leibler divergence at prefixes that the PRM draws."""
        torch.manual_seed(5)
        positions, found = Positions.drawn(memory, where, 30), []
        parent = teacher(network, positions, 0, torch.zeros(30, dtype=torch.long)).draw(30)
        for b in (1, 2):
            of = teacher(network, positions, b, parent)
            mine = student(network, positions, b, parent, of)
            found.append((torch.special.xlogy(of.share, of.share) - of.share * mine).sum().item() / 30)
            parent = of.draw(30)
        return float(np.mean(found))

    before = gap()
    for _ in range(100):
        optimizer.zero_grad()
        guide_loss(network, memory, where, 30).backward()
        optimizer.step()
    assert gap() < 0.6 * before


def test_the_recipe_asks_for_it(network: Promise) -> None:
    items = some_items()
    assert set(network.loss(items[:, :-1], items[:, 1:])) == {"generator", "inner", "guide"}
