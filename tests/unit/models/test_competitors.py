"""Prefixes that compete: each one other than the truth alike, the generator's own draws, and what its beam keeps."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import DEPTH, made_network
from torch import Tensor

from models.competitors import FILLER, code_log_probs, drawn, left, others
from models.guiding import Positions
from models.network import Promise

ITEMS = 40


@pytest.fixture(scope="module")
def network() -> Promise:
    return made_network(ITEMS, loud=True)


def positions(network: Promise, users: int = 3) -> Positions:
    items = torch.randint(1, ITEMS + 1, (users, 5), generator=torch.Generator().manual_seed(2))
    memory = network.encode(items, None).detach()
    return Positions.drawn(memory, torch.tensor([[0, 0, 1, 0, 1]] * users).bool(), 99)


def path_log_probs(network: Promise, at: Positions) -> Tensor:
    """[N, I]: log-probability of every item's path, by walking each of them alone."""
    sids, count = network.catalogue.sids[1:], len(at.memory)
    total = torch.zeros(count, ITEMS)
    for b in range(DEPTH):
        for item in range(ITEMS):
            parent = network.catalogue.member(b - 1)[item + 1] if b else torch.tensor(0)
            log_probs = code_log_probs(network, at, b, parent.expand(count, 1))
            total[:, item] += log_probs[:, 0, sids[item, b]]
    return total.detach()


@settings(max_examples=60, deadline=None)
@given(classes=st.integers(1, 200), count=st.integers(0, 250), seed=st.integers(0, 9))
def test_others_are_different_valid_and_never_the_goal(classes: int, count: int, seed: int) -> None:
    torch.manual_seed(seed)
    goals = torch.randint(classes, (7,))
    found = others(goals, classes, count)
    assert found.shape == (7, min(count, classes - 1))
    for goal, row in zip(goals.tolist(), found.tolist(), strict=True):
        assert len(set(row)) == len(row)
        assert all(0 <= choice < classes and choice != goal for choice in row)


@pytest.mark.parametrize("classes", [12, 13, 31])
def test_every_other_class_is_drawn_alike(classes: int) -> None:
    torch.manual_seed(0)
    draws, goal = 60_000, 4
    found = others(torch.full((draws,), goal), classes, 3)
    rest = classes - 1
    share = torch.bincount(found.flatten(), minlength=classes) / found.numel()
    assert share[goal] == 0
    assert share.sum() == pytest.approx(1)
    assert (share * rest - 1).abs().sort().values[:-1].max() < 0.05  # all but the goal


def test_draws_follow_the_generators_own_probabilities(network: Promise) -> None:
    torch.manual_seed(0)
    at, draws = positions(network), 20_000
    found = drawn(network, at, draws)
    probability = path_log_probs(network, at).exp()
    torch.testing.assert_close(probability.sum(1), torch.ones(len(probability)), rtol=1e-3, atol=1e-3)
    for b in range(DEPTH):
        member, classes = network.catalogue.member(b)[1:], network.catalogue.counts[b]
        for row, wanted in zip(found[b], probability, strict=True):
            share = torch.bincount(row, minlength=classes) / draws
            torch.testing.assert_close(share, torch.zeros(classes).index_add(0, member, wanted), rtol=0.0, atol=0.02)


def test_a_path_goes_down_the_trie(network: Promise) -> None:
    for found in (drawn(network, positions(network), 9), left(network, positions(network), 4)):
        codes = [network.catalogue.prefix_codes(b) for b in range(DEPTH)]
        for b in range(1, DEPTH):
            above = {tuple(path) for path in codes[b - 1][found[b - 1]].flatten(0, 1).tolist()}
            assert {tuple(path[:b]) for path in codes[b][found[b]].flatten(0, 1).tolist()} <= above


def test_a_beam_wide_enough_keeps_the_most_probable_paths_in_order(network: Promise) -> None:
    at = positions(network)
    leaves = left(network, at, ITEMS)[-1].numpy()
    by_leaf = np.argsort(network.catalogue.member(DEPTH - 1)[1:].numpy())
    probability = path_log_probs(network, at).numpy()[:, by_leaf]
    for kept, log_probs in zip(leaves, probability, strict=True):
        assert sorted(kept.tolist()) == list(range(ITEMS))
        assert np.all(np.diff(log_probs[kept]) <= 1e-4)


def test_what_a_beam_lacks_is_filler(network: Promise) -> None:
    found = left(network, positions(network), ITEMS + 5)
    for b, kept in enumerate(found):
        assert ((kept == FILLER).sum(1) == ITEMS + 5 - network.catalogue.counts[b]).all()


def test_the_decoder_is_asked_as_it_is_served() -> None:
    network = made_network(ITEMS, loud=True).train()
    network.encoder.eval()
    at, root = positions(network), torch.zeros(6, 1, dtype=torch.long)
    assert torch.equal(code_log_probs(network, at, 0, root), code_log_probs(network, at, 0, root))
    assert network.decoder.training
