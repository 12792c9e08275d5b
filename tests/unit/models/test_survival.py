"""The survival loss: its edges are those of a real beam, and its gradient brings the true prefix up."""

from dataclasses import replace

import pytest
import torch
from tiny import CODES, DEPTH, HISTORY, TRAINING, made_network, made_sequences, padded
from torch import Tensor

from models.layers import causal_mask
from models.network import Promise
from models.survival import beam_edges, kept_edge, step, survival_loss, true_steps

ITEMS, KEPT = 60, 3


@pytest.fixture
def network() -> Promise:
    return made_network(ITEMS, loud=True)


def batch(network: Promise) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """memory, where, hidden [P,d,D] and goals [P] of a few made users, as the generator's loss has them."""
    rows = padded([sequence.tolist() for sequence in made_sequences(6, ITEMS, longest=HISTORY + 1)])[0]
    targets = rows[:, 1:]
    items = rows[:, :-1] * (targets > 0)
    memory = network.encode(items, network.features.rows(network.catalogue))
    where = targets > 0
    queries = network.decoder.queries(network.catalogue.sids[targets]).flatten(1, 2)
    mask = causal_mask(items.shape[1]).repeat_interleave(DEPTH, 0)
    hidden = network.decoder.hidden(queries, memory, mask).view(*targets.shape, DEPTH, -1)[where]
    return memory, where, hidden, targets[where]


def every_prefix(network: Promise, memory: Tensor, user: int, position: int, b: int) -> Tensor:
    """[V_{b+1}]: the accumulated log-probability of every valid prefix, one by one."""
    past, codes = memory[user : user + 1, : position + 1], network.catalogue.prefix_codes(b)
    mask, total = torch.ones(1, 1, 1, position + 1, dtype=torch.bool), torch.zeros(len(codes))
    for level in range(b + 1):
        path = torch.nn.functional.pad(codes[:, :level], (0, DEPTH - level), value=-1)
        states = network.decoder.hidden(network.decoder.query(path[None], torch.tensor(level)), past, mask)[0]
        parents = torch.zeros(len(codes), dtype=torch.long)
        if level:
            above = network.catalogue.prefix_codes(level - 1)
            parents = (codes[:, None, :level] == above[None]).all(2).long().argmax(1)
        logits = states @ network.decoder.level_head(torch.tensor(level)).T
        logits = logits.masked_fill(~network.catalogue.next_codes(level, parents), -torch.inf)
        total += logits.log_softmax(1).gather(1, codes[:, level : level + 1])[:, 0]
    return total


def test_a_wide_beam_finds_the_edges_of_all_prefixes(network: Promise) -> None:
    memory, where, _, _ = batch(network)
    chosen = where.nonzero()[[0, 7, 20]]
    wide = beam_edges(network, memory, chosen, len(network.catalogue.prefix_codes(1)))
    narrow = beam_edges(network, memory, chosen, KEPT)
    for row, (user, position) in enumerate(chosen.tolist()):
        first = every_prefix(network, memory, user, position, 0)
        torch.testing.assert_close(narrow[row, 0], first.topk(KEPT).values[-1])
        # A beam as wide as the second depth misses nothing there; a narrow one can only be lower than the exact edge.
        second = every_prefix(network, memory, user, position, 1)
        torch.testing.assert_close(wide[row, 1], second.min())
        assert narrow[row, 1] <= second.topk(KEPT).values[-1] + 1e-5


def test_true_steps_add_up_to_the_paths_log_probability(network: Promise) -> None:
    memory, where, hidden, goals = batch(network)
    steps, last = true_steps(network, hidden, goals)
    for row in (0, 5, 11):
        user, position = where.nonzero()[row].tolist()
        leaves = every_prefix(network, memory, user, position, DEPTH - 1)
        leaf = network.catalogue.member(DEPTH - 1)[goals[row]]
        torch.testing.assert_close(steps[row].sum(), leaves[leaf])
    assert last.shape == (len(goals), CODES)
    torch.testing.assert_close(last.exp().sum(1), torch.ones(len(goals)))


def test_places_are_the_prefixes_that_codes_lead_to(network: Promise) -> None:
    parents = torch.arange(network.catalogue.counts[0])
    log_probs, places = step(network, torch.randn(len(parents), 16), 1, parents)
    for parent, code in (log_probs > -torch.inf).nonzero().tolist():
        assert network.catalogue.prefix_codes(1)[places[parent, code]].tolist()[1] == code
        assert network.catalogue.prefix_codes(1)[places[parent, code]].tolist()[0] == parent_code(network, parent)


def parent_code(network: Promise, parent: int) -> int:
    return int(network.catalogue.prefix_codes(0)[parent, 0])


def test_its_gradient_raises_the_true_prefixes(network: Promise) -> None:
    memory, where, hidden, goals = batch(network)
    hidden = hidden.detach().requires_grad_()
    torch.manual_seed(1)
    survival_loss(network, memory.detach(), where, hidden, goals, KEPT, sampled=10_000).backward()
    assert hidden.grad is not None
    before = true_steps(network, hidden, goals)[0].cumsum(1).detach()
    after = true_steps(network, hidden - 0.5 * hidden.grad, goals)[0].cumsum(1).detach()
    for b in range(DEPTH):
        assert (after[:, b] > before[:, b]).float().mean() > 0.95


def test_prefixes_that_are_safe_are_left_alone(network: Promise) -> None:
    memory, where, hidden, goals = batch(network)
    hidden = hidden.detach().requires_grad_()
    # A beam that keeps everything loses nobody.
    loss = survival_loss(network, memory.detach(), where, hidden, goals, 10_000)
    loss.backward()
    assert loss.item() == 0
    assert hidden.grad is not None
    assert not hidden.grad.any()


def test_lost_prefixes_are_pushed_harder_than_those_above_the_edge(network: Promise) -> None:
    memory, where, hidden, goals = batch(network)
    own, first = true_steps(network, hidden[:, :1].detach(), goals)
    margin = kept_edge(first, KEPT) - own[:, 0]
    own_gradient = torch.sigmoid(margin)
    assert own_gradient[margin > 0].min() > own_gradient[margin < 0].max()
    assert memory.shape[0] == where.shape[0]


def test_the_generators_loss_takes_it_with_its_weight(network: Promise) -> None:
    memory, where, _, _ = batch(network)
    rows = padded([sequence.tolist() for sequence in made_sequences(6, ITEMS, longest=HISTORY + 1)])[0]
    plain = network.generator_loss(memory, rows[:, 1:], where)
    network.training_recipe = replace(TRAINING, survival=0.5)
    torch.manual_seed(0)
    half = network.generator_loss(memory, rows[:, 1:], where) - plain
    network.training_recipe = replace(TRAINING, survival=1.0)
    torch.manual_seed(0)
    whole = network.generator_loss(memory, rows[:, 1:], where) - plain
    torch.testing.assert_close(whole, 2 * half, rtol=1e-3, atol=1e-5)
