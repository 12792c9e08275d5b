"""Generator and PRMs against what their definitions say, term by term."""

import numpy as np
import pytest
import torch
from tiny import CODES, DEPTH, made_network, made_sequences, made_sids, padded, same_weights
from torch import Tensor

from models.catalogue import CatalogueTensors, Prefixes
from models.network import CrossStage, Promise
from models.recipe import PrmForm
from service.search.trie import build

ITEMS = 40
FORMS: list[PrmForm] = ["inner", "cross"]


def shifted(sequences: list[list[int]]) -> tuple[Tensor, Tensor]:
    """(items, targets) of whole sequences, as training sees them."""
    items, _ = padded(sequences)
    return items[:, :-1] * (items[:, 1:] > 0), items[:, 1:]


def encoded(network: Promise, history: list[int]) -> Tensor:
    return network.encode(torch.tensor([history]), network.features.rows(network.catalogue)).detach()


@pytest.fixture(scope="module")
def network() -> Promise:
    return made_network(ITEMS, loud=True)


def test_an_item_says_nothing_about_its_past(network: Promise) -> None:
    one, other = encoded(network, [3, 9, 4, 7]), encoded(network, [3, 9, 4, 31])
    assert torch.equal(one[:, :3], other[:, :3])
    assert not torch.allclose(one[:, 3], other[:, 3])
    items, targets = shifted([[3, 9, 4, 7]])
    targets[0, 2] = 0
    changed = items.clone()
    changed[0, 2] = 31
    before, after = network.loss(items, targets), network.loss(changed, targets)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_order_matters(network: Promise) -> None:
    assert not torch.allclose(encoded(network, [3, 9, 4])[:, -1], encoded(network, [9, 3, 4])[:, -1])


def test_a_batch_loses_what_its_members_lose_and_padding_is_nothing(network: Promise) -> None:
    sequences = [[1, 2, 3, 4, 5], [6, 7], [8, 9, 10]]
    together = network.loss(*shifted(sequences))
    alone = [network.loss(*shifted([rows])) for rows in sequences]
    weights = torch.tensor([len(rows) - 1.0 for rows in sequences])
    for name, loss in together.items():
        mean = (torch.stack([each[name] for each in alone]) * weights).sum() / weights.sum()
        torch.testing.assert_close(loss, mean, rtol=1e-4, atol=1e-5)


def path_losses(network: Promise, history: list[int]) -> Tensor:
    """Generator loss of every item of the catalogue as the next one: minus the log-probability of its path."""
    memory = encoded(network, history)
    losses = []
    for item in range(1, ITEMS + 1):
        targets = torch.zeros(1, len(history), dtype=torch.long)
        targets[0, -1] = item
        losses.append(network.generator_loss(memory, targets, targets > 0))
    return torch.stack(losses).detach()


@pytest.mark.parametrize("history", [[5], [1, 2, 3], [7, 30, 2, 9, 14, 40, 11, 3]])
def test_path_probabilities_sum_to_one_over_the_catalogue(network: Promise, history: list[int]) -> None:
    probability = torch.exp(-path_losses(network, history))
    assert probability.sum().item() == pytest.approx(1, abs=1e-4)
    assert probability.max() < 0.999, "a distribution worth the name"


def test_the_inner_loss_is_the_log_softmax_over_all_valid_prefixes(network: Promise) -> None:
    """The reward as serving computes it, for one history at a time, against what training does for all at once."""
    sequences = [[1, 2, 3, 4], [9, 8, 7]]
    item_rows, prefixes = network.features.rows(network.catalogue), Prefixes.of(made_sids(ITEMS))
    assert network.inner is not None
    total, cases = torch.zeros(()), [(rows[:n], rows[n]) for rows in sequences for n in range(1, len(rows))]
    for b in range(DEPTH):
        candidates, level = network.rows(b, item_rows, "inner")[None], torch.tensor(b)
        for history, goal in cases:
            length = torch.tensor([len(history)])
            rewards = network.inner.score(encoded(network, history), length, candidates, level)
            true = torch.tensor([int(prefixes.members[b][goal - 1])])
            total = total - rewards.log_softmax(-1)[0, true].sum() / len(cases)
    torch.testing.assert_close(network.loss(*shifted(sequences))["inner"], total, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("form", FORMS)
def test_leaf_scores_are_the_rewards_of_the_leaves(form: PrmForm) -> None:
    network = made_network(ITEMS, forms=(form,), loud=True)
    histories = [[4, 8], [5, 1, 2, 3]]
    scores = network.leaf_scores(*padded(histories))
    assert torch.isneginf(scores[:, 0]).all()
    item_rows = network.features.rows(network.catalogue)
    leaves = network.rows(DEPTH - 1, item_rows, form)
    prm = network.inner if form == "inner" else network.cross
    assert prm is not None
    for row, history in enumerate(histories):
        memory, length = encoded(network, history), torch.tensor([len(history)])
        for item in (1, 17, ITEMS):
            leaf = leaves[network.catalogue.member(DEPTH - 1)[item]]
            reward = prm.score(memory, length, leaf[None, None], torch.tensor(DEPTH - 1))
            torch.testing.assert_close(scores[row, item], reward[0, 0], rtol=1e-4, atol=1e-4)


def test_candidates_do_not_see_each_other() -> None:
    network = made_network(ITEMS, forms=("cross",), loud=True)
    assert network.cross is not None
    memory, lengths, level = encoded(network, [3, 1, 2]), torch.tensor([3]), torch.tensor(1)
    rows = torch.randn(1, 6, memory.shape[-1])
    alone = torch.cat([network.cross.score(memory, lengths, rows[:, [n]], level) for n in range(6)], 1)
    torch.testing.assert_close(network.cross.score(memory, lengths, rows, level), alone, rtol=1e-4, atol=1e-5)


def test_the_cross_stage_moves_only_what_is_its_own() -> None:
    network, trunk = made_network(ITEMS), made_network(ITEMS)
    stage = CrossStage(network)
    names = {name for name, _ in stage.named_parameters()}
    assert names
    assert {name.split(".")[0] for name in names} == {"cross", "rows"}
    optimizer = torch.optim.SGD(stage.parameters(), 0.5)
    before = [weights.detach().clone() for weights in stage.parameters()]
    items, targets = shifted([rows.tolist() for rows in made_sequences(6, ITEMS)])
    losses = stage.loss(items[:, :8], targets[:, :8])
    assert set(losses) == {"cross"}
    losses["cross"].backward()
    assert all(weights.grad is None for weights in trunk_parameters(network, trunk))
    optimizer.step()
    assert not all(map(torch.equal, before, stage.parameters()))
    kept = {name: weights for name, weights in network.state_dict().items() if name in trunk.state_dict()}
    trained = made_network(ITEMS)
    trained.load_state_dict(kept)
    assert same_weights(trained, trunk)
    assert torch.equal(
        network.leaf_scores(*padded([[1, 2]]), form="inner"), trunk.leaf_scores(*padded([[1, 2]]), form="inner")
    )


def trunk_parameters(network: Promise, trunk: Promise) -> list[Tensor]:
    names = dict(trunk.named_parameters())
    return [weights for name, weights in network.named_parameters() if name in names]


@pytest.mark.parametrize("form", FORMS)
def test_one_form_alone_trains_everything(form: PrmForm) -> None:
    network = made_network(ITEMS, forms=(form,))
    losses = network.loss(*shifted([rows.tolist()[:9] for rows in made_sequences(12, ITEMS)]))
    assert set(losses) == {"generator", form}
    torch.stack(list(losses.values())).sum().backward()
    assert all(weights.grad is not None and weights.grad.any() for weights in network.parameters())


@pytest.mark.parametrize("items", [1, 7, ITEMS, 120])
def test_prefixes_are_numbered_as_the_trie_numbers_its_nodes(items: int) -> None:
    sids = made_sids(items, seed=items)
    trie, tensors, prefixes = build(sids), CatalogueTensors(sids, CODES, None), Prefixes.of(sids)
    for b in range(DEPTH):
        start, end = trie.level_start[b + 1], trie.level_start[b + 2]
        nodes, codes = np.arange(start, end, dtype=np.int32), prefixes.codes[b]
        assert len(codes) == len(nodes) == tensors.counts[b]
        for depth in reversed(range(b + 1)):
            assert np.array_equal(codes[:, depth], trie.code[nodes])
            nodes = trie.parent[nodes]
        assert np.array_equal(prefixes.members[b], trie.path(trie.row_leaf[1:])[:, b] - start)
        assert np.array_equal(tensors.member(b)[1:], prefixes.members[b])
        owners, children = trie.parent[start:end] - trie.level_start[b], tensors.next_codes(b).numpy()
        assert children.sum() == len(owners)
        assert children[owners, trie.code[start:end]].all()


def test_text_of_a_prefix_is_the_mean_of_its_items() -> None:
    network = made_network(ITEMS)
    text = network.catalogue.text[1:]
    first = made_sids(ITEMS)[:, 0]
    for index, code in enumerate(np.unique(first)):
        mean = text[torch.from_numpy(first == code)].mean(0)
        torch.testing.assert_close(network.catalogue.prefix_text(0)[index], mean, rtol=1e-4, atol=1e-5)


def test_queries_of_training_and_of_serving_agree(network: Promise) -> None:
    path = torch.from_numpy(made_sids(ITEMS)[:5].astype(np.int64))
    teacher = network.decoder.queries(path)
    for level in range(DEPTH):
        prefix = path.clone()
        prefix[:, level:] = -1
        torch.testing.assert_close(network.decoder.query(prefix[None], torch.tensor(level))[0], teacher[:, level])


def test_bfloat16_trains_too() -> None:
    network = made_network(ITEMS).train()
    items, targets = shifted([rows.tolist()[:9] for rows in made_sequences(6, ITEMS)])
    with torch.autocast("cpu", torch.bfloat16):
        losses = network.loss(items, targets)
    assert all(loss.dtype is torch.float32 and loss.isfinite() for loss in losses.values())
