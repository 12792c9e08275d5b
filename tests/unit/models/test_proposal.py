"""A sampled softmax: every class weighs one on average, and losses and gradients tend to the full ones."""

import pytest
import torch
from tiny import CODES, DEPTH, made_network, made_sids, made_text
from torch import Tensor

from models.catalogue import CatalogueTensors
from models.network import Promise
from models.prm import PrefixRows
from models.proposal import Kin, Proposal
from models.softmax import full_softmax_loss

ITEMS = 60


@pytest.fixture(scope="module")
def catalogue() -> CatalogueTensors:
    return CatalogueTensors(made_sids(ITEMS), CODES, made_text(ITEMS))


@pytest.mark.parametrize(("above", "b"), [(0, 1), (0, 2), (1, 2)])
def test_kin_are_the_descendants(catalogue: CatalogueTensors, above: int, b: int) -> None:
    kin = Kin.of(catalogue, above, b)
    codes, parents = catalogue.prefix_codes(b)[:, : above + 1], catalogue.prefix_codes(above)
    assert torch.equal(parents[kin.ancestor], codes)
    for ancestor in range(len(parents)):
        below = torch.arange(int(kin.start[ancestor]), int(kin.start[ancestor + 1]))
        assert torch.equal(below, (kin.ancestor == ancestor).nonzero()[:, 0])


@pytest.mark.parametrize("b", range(DEPTH))
def test_every_class_weighs_one_on_average(catalogue: CatalogueTensors, b: int) -> None:
    torch.manual_seed(0)
    proposal, rounds = Proposal(catalogue, b), 3000
    targets = catalogue.member(b)[torch.randint(1, ITEMS + 1, (7,))]
    weights = torch.zeros(rounds, catalogue.counts[b])
    for row in weights:
        drawn = proposal.draw(targets, 24)
        assert torch.equal(drawn.classes, drawn.classes.unique())
        assert torch.isin(targets, drawn.classes).all()
        row[drawn.classes] = drawn.bias.exp()
    error = weights.std(0) / rounds**0.5
    assert ((weights.mean(0) - 1).abs() < 5 * error + 1e-5).all()
    assert weights.std(0).max() > 0.1, "something was left to chance"


def test_with_every_class_drawn_evenly_it_is_the_full_softmax() -> None:
    torch.manual_seed(1)
    queries, table, targets = torch.randn(9, 5), torch.randn(7, 5), torch.randint(7, (9,))
    wanted = full_softmax_loss(queries, table, targets)
    assert torch.equal(full_softmax_loss(queries, table, targets, torch.zeros(7)), wanted)


def test_the_bias_weighs_every_class_but_the_goal() -> None:
    torch.manual_seed(2)
    queries, table = (torch.randn(size, 5).requires_grad_() for size in (9, 7))
    targets, bias = torch.randint(7, (9,)), torch.randn(7)
    logits = queries @ table.T + bias.expand(9, 7).clone().scatter_(1, targets[:, None], 0.0)
    wanted = torch.nn.functional.cross_entropy(logits, targets)
    loss = full_softmax_loss(queries, table, targets, bias)
    torch.testing.assert_close(loss, wanted)
    for mine, theirs in zip(*(torch.autograd.grad(one, (queries, table)) for one in (loss, wanted)), strict=True):
        torch.testing.assert_close(mine, theirs)


def estimates(catalogue: CatalogueTensors, count: int, rounds: int) -> tuple[Tensor, Tensor]:
    """Sampled losses [rounds] of a fixed case and the full loss."""
    torch.manual_seed(3)
    queries, table = torch.randn(16, 5), torch.randn(ITEMS, 5)
    goals, proposal = torch.randint(ITEMS, (16,)), Proposal(catalogue, DEPTH - 1)
    losses = []
    for _ in range(rounds):
        drawn = proposal.draw(goals, count)
        goal = torch.searchsorted(drawn.classes, goals)
        losses.append(full_softmax_loss(queries, table[drawn.classes], goal, drawn.bias))
    return torch.stack(losses), full_softmax_loss(queries, table, goals)


def test_more_draws_come_nearer_to_the_full_loss(catalogue: CatalogueTensors) -> None:
    off = []
    for count in (6, 60, 600):
        losses, full = estimates(catalogue, count, 200)
        off.append(float((losses - full).square().mean().sqrt()))
    assert off[0] > 2 * off[1] > 4 * off[2]
    assert off[2] < 0.02 * float(full)


def sampled_network(sampled: int, row_limit: int = 0) -> Promise:
    from dataclasses import replace

    from tiny import SIZES, TRAINING

    torch.manual_seed(0)
    sizes = replace(SIZES, item_rows=False, row_limit=row_limit, dropout=0.0)
    return Promise(made_sids(ITEMS), CODES, made_text(ITEMS), sizes, replace(TRAINING, sampled=sampled))


def test_the_network_tends_to_its_full_loss_in_value_and_gradient() -> None:
    full, sampled = sampled_network(0), sampled_network(20)
    assert not full.proposals
    assert set(sampled.proposals) == {b for b, count in enumerate(full.catalogue.counts) if count > 20} == {1, 2}
    items = torch.randint(1, ITEMS + 1, (6, 7), generator=torch.Generator().manual_seed(0))
    wanted = full.loss(items[:, :-1], items[:, 1:])
    wanted["inner"].backward()
    rounds, mean = 200, torch.zeros(())
    for _ in range(rounds):
        loss = sampled.loss(items[:, :-1], items[:, 1:])
        torch.testing.assert_close(loss["generator"], wanted["generator"])
        (loss["inner"] / rounds).backward()
        mean += loss["inner"].detach() / rounds
    assert mean.item() == pytest.approx(wanted["inner"].item(), rel=0.02)
    for (name, theirs), mine in zip(full.named_parameters(), sampled.parameters(), strict=True):
        if theirs.grad is not None and theirs.grad.norm() > 1e-3:
            assert mine.grad is not None
            assert torch.cosine_similarity(mine.grad.flatten(), theirs.grad.flatten(), dim=0) > 0.9, name


@pytest.mark.parametrize("row_limit", [0, 8])
def test_some_rows_are_rows_of_the_whole(row_limit: int) -> None:
    network = sampled_network(20, row_limit)
    catalogue, rows = network.catalogue, network.prefix_rows["inner"]
    assert isinstance(rows, PrefixRows)
    assert [len(learned) for learned in rows.learned] == [6, 0 if row_limit else catalogue.counts[1]]
    item_rows = network.features.rows(catalogue)
    for b in range(DEPTH):
        index = torch.tensor([3, 0, 3, catalogue.counts[b] - 1])
        whole = network.rows(b, item_rows, "inner")
        torch.testing.assert_close(rows.some(catalogue, network.features, b, index), whole[index])
    items = torch.tensor([[4, 0], [ITEMS, 1]])
    torch.testing.assert_close(network.encode(items, None), network.encode(items, item_rows))


def test_learned_item_rows_are_among_them() -> None:
    network = made_network(ITEMS)
    items = torch.tensor([[0, 5, ITEMS]])
    whole = network.features.rows(network.catalogue)
    torch.testing.assert_close(network.features.some(network.catalogue, items), whole[items])
