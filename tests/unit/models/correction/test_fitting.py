"""Fitting the correction: its lists are the exact rankings of a network, and what stands together comes first."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made_corrected import RECIPE, made_relations
from tiny import HISTORY, I32, made_dataset, made_network, made_sequences, made_text, padded, same_weights
from torch import nn

from models.correction.fitting import Lists, fit, fitted, lists, ranks, relations_of
from models.correction.network import Related
from models.dataset import Cases, Split
from models.network import Promise

ITEMS, USERS, POOL = 40, 240, 8
QUICK = replace(RECIPE, pool=12, epochs=2)


def couples(users: int, seed: int = 0) -> list[I32]:
    """Sequences in which 2n - 1 is always followed by 2n."""
    rng = np.random.default_rng(seed)
    pairs = [rng.permutation(ITEMS // 2)[:3] for _ in range(users)]
    return [np.stack([2 * some + 1, 2 * some + 2], 1).ravel().astype(np.int32) for some in pairs]


def made_lists(seed: int = 0) -> Lists:
    """The newest item is one half of a couple, the true next one the other, at a random place among random items."""
    rng = np.random.default_rng(seed)
    newest = 2 * rng.integers(0, ITEMS // 2, USERS) + 1
    others = np.stack([rng.permutation(np.setdiff1d(np.arange(1, ITEMS + 1), [n, n + 1]))[:POOL] for n in newest])
    place = rng.integers(0, POOL, USERS)
    others[np.arange(USERS), place] = newest + 1
    older = rng.integers(0, ITEMS + 1, (USERS, 3))
    reward = -np.sort(rng.exponential(size=(USERS, POOL)), 1)
    history = np.concatenate([newest[:, None], older], 1)
    return Lists(*map(torch.from_numpy, (history, others, reward.astype(np.float32), place)))


RELATED = Related(made_relations(ITEMS, couples(200)))
LISTS = made_lists()


def test_what_stands_together_comes_first_and_the_loss_falls() -> None:
    said: list[str] = []
    recipe = replace(RECIPE, epochs=5, learning_rate=2e-2)
    model = fit(RELATED, LISTS, recipe, seed=0, log=said.append)
    losses = [float(line.rsplit(" ", 1)[1]) for line in said]
    assert losses[0] > 2
    assert losses[-1] < 0.5 * losses[0]
    before, after = LISTS.place.numpy() + 1, ranks(model, RELATED, LISTS)
    assert (before == 1).mean() < 0.2
    assert (after == 1).mean() > 0.9
    fresh = made_lists(seed=1)
    assert (ranks(model, RELATED, fresh) == 1).mean() > 0.85, "lists that it was not fitted to"
    assert not model.training


def test_the_same_seed_gives_the_same_correction() -> None:
    one, two, other = (fit(RELATED, LISTS, replace(RECIPE, epochs=1), seed) for seed in (3, 3, 4))
    assert same_weights(one, two)
    assert not same_weights(one, other)


def test_it_learns_from_no_more_lists_than_it_may_and_from_none_without_the_true_item() -> None:
    few = replace(RECIPE, lists=32, epochs=1)
    known = Lists(LISTS.history, LISTS.candidates, LISTS.reward, torch.where(torch.arange(USERS) < 40, LISTS.place, -1))
    said: list[str] = []
    fit(RELATED, known, few, 0, said.append)
    assert said[-1].startswith("correction: step 2 of 2, loss ")  # 32 lists, 16 a step
    only = Lists(*(part[:40] for part in vars(known).values()))
    assert same_weights(fit(RELATED, known, RECIPE, 0), fit(RELATED, only, RECIPE, 0))


def test_there_must_be_something_to_learn() -> None:
    nothing = replace(LISTS, place=torch.full((USERS,), -1))
    with pytest.raises(ValueError, match="nothing to learn"):
        fit(RELATED, nothing, RECIPE, 0)


def test_ranks_are_places_after_the_correction_and_beyond_the_list_where_it_is_not_there() -> None:
    known = replace(LISTS, place=torch.where(torch.arange(USERS) % 3 == 0, -1, LISTS.place))
    model = fit(RELATED, LISTS, replace(RECIPE, epochs=1), 0)
    found = ranks(model, RELATED, known)
    assert (found[::3] == POOL + 1).all()
    with torch.no_grad():
        for user in (1, 2, 200):
            one = known.take(torch.tensor([user]))
            pairs, some = RELATED(one.history, one.candidates), RELATED.popularity[one.candidates]
            rewards = model(pairs, one.history > 0, some, one.reward)[0]
            assert found[user] == rewards.argsort(descending=True).tolist().index(int(one.place)) + 1


def test_taking_users_cuts_histories_to_the_longest_of_them() -> None:
    history = torch.tensor([[1, 2, 3, 0], [4, 0, 0, 0], [5, 6, 0, 0]])
    some = Lists(history, history + 10, history.float(), torch.tensor([0, 1, 2]))
    taken = some.take(torch.tensor([2, 1]))
    assert taken.history.tolist() == [[5, 6], [4, 0]]
    assert taken.candidates.tolist() == (history + 10)[[2, 1]].tolist()
    assert taken.place.tolist() == [2, 1]
    parts = list(some.parts(2))
    assert [len(part.place) for part in parts] == [2, 1]
    assert torch.equal(torch.cat([part.history for part in parts]), history)


@pytest.fixture(scope="module")
def network() -> Promise:
    return made_network(ITEMS, loud=True)


def cases() -> Cases:
    """Histories of different lengths, some longer than the network reads; every fourth target was seen before."""
    users = made_sequences(30, ITEMS, longest=HISTORY + 4, seed=2)
    targets = [rows[0] if number % 4 == 3 else rows[-1] for number, rows in enumerate(users)]
    return Cases([rows[:-1] for rows in users], np.array(targets, np.int32))


@pytest.mark.parametrize("pool", [7, ITEMS, 10 * ITEMS])
def test_lists_are_the_best_of_the_exact_ranking_without_the_history(network: Promise, pool: int) -> None:
    judged = cases()
    found = lists(network, judged, replace(RECIPE, pool=pool))
    assert found.candidates.shape == found.reward.shape == (30, min(pool, ITEMS))
    assert found.reward.isfinite().all()
    assert (found.place >= 0).any()
    for user, (history, target) in enumerate(zip(judged.histories, judged.targets, strict=True)):
        items, lengths = padded([history[-HISTORY:].tolist()])
        with torch.no_grad():
            scores = network.leaf_scores(items, lengths)[0]
        unseen = [row for row in scores.argsort(descending=True).tolist() if row and row not in history]
        rows = found.candidates[user, : len(unseen)].tolist()
        assert rows == unseen[: min(pool, ITEMS)]
        torch.testing.assert_close(found.reward[user, : len(rows)], scores[rows], atol=1e-4, rtol=1e-4)
        assert found.place[user] == (rows.index(target) if target in rows else -1)
        newest = found.history[user]
        assert newest[newest > 0].tolist() == history[::-1][: RECIPE.newest].tolist()


def test_a_pool_of_the_whole_catalogue_can_be_learned_from(network: Promise) -> None:
    """What fills such lists up, items of the history, must not spoil the weights."""
    known = lists(network, cases(), replace(RECIPE, pool=ITEMS))
    model = fit(RELATED, known, replace(RECIPE, epochs=2), 0)
    assert all(weights.isfinite().all() for weights in model.parameters())


def split_of(train: list[I32]) -> Split:
    return Split("A", train, cases(), cases(), np.arange(30, dtype=np.int32))


def test_relations_are_those_of_the_training_sequences_and_of_this_networks_tokens(network: Promise) -> None:
    train = couples(50)
    dataset = made_dataset(train, ITEMS, made_text(ITEMS))
    relations = relations_of(network, dataset, split_of(train), RECIPE)
    assert relations.groups == 2
    assert relations.neighbour[1, 0] == 2, "a couple"
    tokens = tokens_of(network)
    unit = nn.functional.normalize(tokens[1:], dim=1).numpy()
    wide = relations_of(network, dataset, split_of(train), replace(RECIPE, profile=tokens.shape[1]))
    mine = wide.profiles[1:, tokens.shape[1] :].astype(np.float32)
    np.testing.assert_allclose(mine @ mine.T, unit @ unit.T, atol=4e-3)


@torch.no_grad()
def tokens_of(network: Promise) -> torch.Tensor:
    """What the encoder reads of every item."""
    rows = network.features.rows(network.catalogue)
    return rows + network.features.code_sum(network.catalogue.sids)


def test_a_fitted_correction_is_kept_and_read_again(network: Promise, tmp_path: Path) -> None:
    train, file, said = couples(50), tmp_path / "stage" / "correction.pt", list[str]()
    dataset, split = made_dataset(train, ITEMS, made_text(ITEMS)), split_of(couples(50))
    model = fitted(network, dataset, split, QUICK, file, 0, said.append)
    assert said
    assert [path.name for path in file.parent.iterdir()] == ["correction.pt"]
    said.clear()
    again = fitted(network, dataset, split, QUICK, file, 1, said.append)
    assert same_weights(model, again)
    assert not again.training
    assert not said, "nothing is fitted twice"
