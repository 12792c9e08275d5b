"""Fitting votes: the heads learn, the network does not, and every head has users of its own."""

from pathlib import Path

import numpy as np
import pytest
import torch
from made_voted import RECIPE, quick
from tiny import HISTORY, I32, made_dataset, made_network, made_sequences, made_text, same_weights

from models.network import Promise
from models.votes.calibrating import contexts, temperature
from models.votes.fitting import fit, fitted

ITEMS, USERS = 40, 120


def rings(users: int, seed: int = 0) -> list[I32]:
    """Users walk round a ring of items; a few of them have nothing to predict."""
    rng = np.random.default_rng(seed)
    walks = [(rng.integers(ITEMS) + np.arange(rng.integers(2, HISTORY + 3))) % ITEMS + 1 for _ in range(users)]
    return [walk[:1].astype(np.int32) if n % 10 == 0 else walk.astype(np.int32) for n, walk in enumerate(walks)]


@pytest.fixture
def network() -> Promise:
    return made_network(ITEMS)


def test_the_loss_falls_and_the_network_stays_as_it_was(network: Promise) -> None:
    before = {name: each.clone() for name, each in network.state_dict().items()}
    said: list[str] = []
    recipe = quick(rank=12, epochs=25, users=60, learning_rate=5e-2)
    model = fit(network, rings(USERS), recipe, 0, said.append)
    losses = [float(line.rsplit(" ", 1)[1]) for line in said]
    assert losses[-1] < 0.9 * losses[0]
    assert not network.training
    assert not model.training
    assert all(torch.equal(before[name], each) for name, each in network.state_dict().items())
    assert all(each.grad is None for each in network.parameters())


def test_the_same_seed_gives_the_same_votes_and_heads_of_one_fit_differ(network: Promise) -> None:
    one, two, other = (fit(network, rings(USERS), quick(epochs=1), seed) for seed in (3, 3, 4))
    assert same_weights(one, two)
    assert not same_weights(one, other)
    heads = one.up.detach().flatten(2).transpose(0, 1).flatten(1)
    assert (torch.cdist(heads, heads) + torch.eye(len(heads))).min() > 1e-4


def test_a_head_sees_nothing_of_users_its_bootstrap_left_out(network: Promise, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two heads that drew one half of the users each: on the other half's items a head learned less."""
    halves = [walk for walk in rings(400) if len(walk) > 2]
    of_half = np.array([walk[0] % 2 for walk in halves])
    recipe = quick(heads=2, share=1.0, epochs=1)
    seen: list[torch.Tensor] = []
    draws = torch.multinomial

    def watched(weights: torch.Tensor, count: int, *, replacement: bool) -> torch.Tensor:
        chosen = draws(weights, count, replacement=replacement)
        seen.append(weights.gather(1, chosen).min())
        return chosen

    class Drawn:
        def poisson(self, _: float, shape: tuple[int, int]) -> np.ndarray:
            assert shape == (len(halves), 2)
            return np.stack([of_half == 0, of_half == 1], 1).astype(np.int64)

        def permutation(self, count: int) -> np.ndarray:
            return np.arange(count)

    monkeypatch.setattr(torch, "multinomial", watched)
    monkeypatch.setattr(np.random, "default_rng", lambda *_: Drawn())
    fit(network, halves, recipe, 0)
    assert seen
    assert all(lowest == 1 for lowest in seen), "only positions of users that the head drew"


@pytest.mark.parametrize("hot", [0.5, 1.0, 1.7, 4.0])
def test_the_temperature_undoes_what_rewards_were_multiplied_by(hot: float) -> None:
    random = torch.Generator().manual_seed(0)
    honest = 2 * torch.randn(20_000, 12, generator=random)
    true = torch.multinomial(honest.softmax(1), 1, generator=random)[:, 0]
    assert temperature(hot * honest, true) == pytest.approx(hot, rel=0.05)


def test_contexts_are_those_of_whole_histories(network: Promise) -> None:
    histories = made_sequences(9, ITEMS, longest=HISTORY + 3)
    found = contexts(network, histories)
    rows = network.features.rows(network.catalogue)
    assert network.inner is not None
    for user, history in enumerate(histories):
        newest = torch.from_numpy(history[-HISTORY:].astype(np.int64))[None]
        memory = network.encode(newest, rows)
        for level, context in enumerate(found[:, user]):
            wanted = network.inner.newest(memory, torch.tensor([newest.shape[1]]), level)[0]
            torch.testing.assert_close(context, wanted.detach(), atol=1e-4, rtol=1e-4)


def test_what_was_fitted_is_kept_and_read_again(network: Promise, tmp_path: Path) -> None:
    split = made_dataset(made_sequences(USERS, ITEMS), ITEMS, made_text(ITEMS)).split("A")
    file, said = tmp_path / "votes" / "votes-A.pt", list[str]()
    first = fitted(network, split, RECIPE, file, 0, said.append)
    assert len(first.temperature) == network.catalogue.depth
    assert said[-1].startswith("votes: temperatures ")
    count = len(said)
    again = fitted(network, split, RECIPE, file, 0, said.append)
    assert len(said) == count, "nothing was done again"
    assert same_weights(first.model, again.model)
    assert again.temperature == first.temperature
    other = fitted(network, split, RECIPE, tmp_path / "votes-B.pt", 0, said.append, (2.0, 3.0, 4.0))
    assert other.temperature == (2.0, 3.0, 4.0), "given, not fitted to items that it trained on"
