"""The PRM's losses against what their definitions say, term by term, and what each of them converges to."""

import pytest
import torch
from loud import ITEMS, batch, made
from tiny import DEPTH, same_weights
from torch import Tensor

from models.guiding import Positions
from models.layers import causal_mask
from models.listwise import GRADE, list_loss, rewards
from models.network import Promise
from models.prm_losses import inner_loss, next_items, uniform_loss
from models.recipe import RecipeError, TrainingRecipe
from models.two_stages import InnerStage


def prm_loss(network: Promise, items: Tensor, targets: Tensor) -> Tensor:
    item_rows = network.features.rows(network.catalogue)
    return inner_loss(network, network.encode(items, item_rows), item_rows, targets, targets > 0)


def log_shares(network: Promise, items: Tensor, targets: Tensor, b: int) -> Tensor:
    """Log-softmax [P, V] over all prefixes of depth b + 1, at every position."""
    item_rows, where = network.features.rows(network.catalogue), targets > 0
    memory = network.encode(items, item_rows)
    assert network.inner is not None
    contexts = network.inner.contexts(memory, memory, b, causal_mask(memory.shape[1]))[where]
    return (contexts @ network.rows(b, item_rows, "inner").T).log_softmax(-1)


def test_with_enough_negatives_infonce_is_the_full_softmax() -> None:
    items, targets = batch()
    full, noisy = made(), made(prm_loss="uniform", negatives=ITEMS)
    assert same_weights(full, noisy)
    torch.testing.assert_close(prm_loss(noisy, items, targets), prm_loss(full, items, targets))
    assert prm_loss(made(prm_loss="uniform", negatives=4), items, targets) < prm_loss(full, items, targets)


@pytest.mark.parametrize("classes", [300, 40])
def test_infonce_is_the_cross_entropy_over_truth_and_draws(monkeypatch: pytest.MonkeyPatch, classes: int) -> None:
    """300: by gathering the few rows that compete; 40: by masking a product with all of them."""
    contexts, table = torch.randn(9, 5, requires_grad=True), torch.randn(classes, 5, requires_grad=True)
    goals = torch.randint(classes, (9,))
    noise = (goals[:, None] + torch.tensor([3, 7, 20])) % classes
    monkeypatch.setattr("models.competitors.others", lambda *_: noise)
    loss = uniform_loss(contexts, table, goals, 3)
    scores = (contexts[:, None] * table[torch.cat([goals[:, None], noise], 1)]).sum(-1)
    wanted = torch.nn.functional.cross_entropy(scores, torch.zeros_like(goals))
    torch.testing.assert_close(loss, wanted)
    found = torch.autograd.grad(loss, (contexts, table))
    torch.testing.assert_close(found, torch.autograd.grad(wanted, (contexts, table)))


def test_the_next_items_count_by_halves_as_far_as_there_are_any() -> None:
    targets = torch.tensor([[5, 6, 7], [8, 0, 0]])
    goals, weights = next_items(targets, targets > 0, 3)
    assert goals.tolist() == [[5, 6, 7], [6, 7, 0], [7, 0, 0], [8, 0, 0]]
    wanted = torch.tensor([[4, 2, 1], [14 / 3, 7 / 3, 0], [7, 0, 0], [7, 0, 0]]) / 7
    torch.testing.assert_close(weights, wanted)


def test_several_positives_are_the_cross_entropy_to_their_mixture() -> None:
    items, targets = batch()
    network = made(positives=3)
    goals, weights = next_items(targets, targets > 0, 3)
    wanted = torch.zeros(())
    for b in range(DEPTH):
        shares = log_shares(network, items, targets, b)
        wanted = wanted - (weights * shares.gather(1, network.catalogue.member(b)[goals])).sum(1).mean()
    found = prm_loss(network, items, targets)
    torch.testing.assert_close(found, wanted)
    names, parameters = zip(*((n, p) for n, p in network.named_parameters() if "decoder" not in n), strict=True)
    gradients = torch.autograd.grad(found, parameters), torch.autograd.grad(wanted, parameters)
    for name, one, other in zip(names, *gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5, msg=name)


@pytest.mark.parametrize("loss", ["generator", "listwise"])
def test_the_generator_proposes_and_does_not_learn_from_it(loss: str) -> None:
    network = made(prm_loss=loss, negatives=5)
    prm_loss(network, *batch()).backward()
    moved = {name.split(".")[0] for name, weights in network.named_parameters() if weights.grad is not None}
    assert moved == {"features", "encoder", "inner", "prefix_rows"}


def fitted(loss: str) -> tuple[Tensor, Tensor, Tensor]:
    """Rewards, log π and truth [V_1] of one history, after only the PRM learned from draws of a made-up truth."""
    network = made(prm_loss=loss, negatives=6, cross_positions=64, epochs=1)
    assert network.inner is not None
    truth = torch.tensor([0.5, 0.2, 0.1, 0.1, 0.06, 0.04])
    rows = network.features.rows(network.catalogue).detach()
    history = torch.tensor([[3, 9]])
    memory = network.encode(history, rows).detach()
    optimizer = torch.optim.Adam([*network.inner.parameters(), *network.prefix_rows.parameters()], 0.03)
    first = network.catalogue.member(0)
    by_code = [int((first[1:] == code).nonzero()[0]) + 1 for code in range(network.catalogue.counts[0])]
    goals = torch.tensor(by_code).repeat_interleave((truth * 50).round().long())
    targets = torch.stack([torch.zeros_like(goals), goals], 1)
    for step in range(150):
        optimizer.param_groups[0]["lr"] = 0.05 * (1 - step / 150)
        optimizer.zero_grad()
        inner_loss(network, memory.expand(len(goals), -1, -1), rows, targets, targets > 0).backward()
        optimizer.step()
    length = torch.tensor([2])
    with torch.no_grad():
        reward = network.inner.score(memory, length, network.rows(0, rows, "inner")[None], torch.tensor(0))[0]
        hidden = network.decoder.hidden(
            network.decoder.query(-torch.ones(1, 1, DEPTH, dtype=torch.long), torch.tensor(0)),
            memory,
            torch.ones(1, 1, 1, 2, dtype=torch.bool),
        )
        log_prob = (hidden @ network.decoder.level_head(torch.tensor(0)).T)[0, 0].log_softmax(-1)
    return reward, log_prob, truth


def test_against_uniform_prefixes_the_reward_alone_is_the_log_probability() -> None:
    reward, _, truth = fitted("uniform")
    torch.testing.assert_close(reward.softmax(0), truth, rtol=0.0, atol=0.06)


def test_against_the_generators_prefixes_reward_and_log_probability_make_it_together() -> None:
    """Methods section 3: noise q leaves y* = log p - log q, so that log π + y ranks and y alone does not."""
    reward, log_prob, truth = fitted("generator")
    torch.testing.assert_close((reward + log_prob).softmax(0), truth, rtol=0.0, atol=0.06)
    assert (reward.softmax(0) - truth).abs().max() > 0.1


def test_the_truth_earns_most_and_the_rest_by_what_it_shares() -> None:
    true = torch.tensor([[1, 2, 3]])
    listed = torch.tensor([[[1, 2, 3], [1, 2, 0], [1, 0, 3], [0, 2, 3]]])
    torch.testing.assert_close(rewards(listed, true), torch.tensor([[1, GRADE * 2 / 3, GRADE / 3, 0]]))


def test_descending_the_list_loss_ranks_by_reward() -> None:
    torch.manual_seed(0)
    scores, reward = torch.zeros(1, 5, requires_grad=True), torch.tensor([[1.0, 0.3, 0.5, 0.0, 0.2]])
    step = torch.autograd.grad(list_loss(scores, reward), scores)[0]
    assert (-step).argsort(descending=True).tolist() == reward.argsort(descending=True).tolist()
    masked = torch.tensor([[0.0, 0.0, -torch.inf]])
    assert list_loss(masked, torch.tensor([[1.0, 0.0, 1.0]])).item() == pytest.approx(-0.5)


def test_a_list_holds_the_truth_once() -> None:
    """With every prefix on the list, its loss is the reward expected of the softmax over all of them."""
    network = made(prm_loss="listwise", negatives=ITEMS, cross_positions=10_000)
    items, targets = batch()
    goals, wanted = targets[targets > 0], torch.zeros(())
    for b in range(DEPTH):
        codes = network.catalogue.prefix_codes(b)
        reward = rewards(codes.expand(len(goals), -1, -1), network.catalogue.sids[goals, : b + 1])
        wanted = wanted - (log_shares(network, items, targets, b).exp() * reward).sum(1).mean()
    torch.testing.assert_close(prm_loss(network, items, targets), wanted, rtol=1e-4, atol=1e-4)


def test_in_two_stages_only_the_prm_learns_in_the_second() -> None:
    network = made(stages="two")
    items, targets = batch()
    assert set(network.loss(items, targets)) == {"generator"}
    stage = InnerStage(network)
    names = {id(weights) for weights in stage.parameters()}
    stage.loss(items, targets)["inner"].backward()
    for name, weights in network.named_parameters():
        assert (weights.grad is not None) == (id(weights) in names), name
    assert len(network.prefix_rows["inner"].learned) == DEPTH, "leaves have rows of their own"  # type: ignore[arg-type]  # ModuleDict
    lengths = torch.full((len(items),), 2)
    assert torch.equal(stage.leaf_scores(items[:, :2], lengths), network.leaf_scores(items[:, :2], lengths))


@pytest.mark.parametrize("changes", [{"prm_loss": "uniform", "positives": 2}, {"prm_loss": "generator", "sampled": 5}])
def test_choices_that_do_not_go_together_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(RecipeError, match="does not go with"):
        made(**changes)


@pytest.mark.parametrize("loss", ["softmax", "uniform", "generator", "listwise"])
def test_every_loss_teaches(loss: str) -> None:
    torch.manual_seed(1)
    network, (items, targets) = made(prm_loss=loss, negatives=8, cross_positions=64), batch(3)
    optimizer = torch.optim.Adam(network.parameters(), 0.01)

    def truth() -> float:
        goals = network.catalogue.member(DEPTH - 1)[targets[targets > 0]]
        return log_shares(network, items, targets, DEPTH - 1).gather(1, goals[:, None]).exp().mean().item()

    before = truth()
    for _ in range(60):
        optimizer.zero_grad()
        torch.stack(list(network.loss(items, targets).values())).sum().backward()
        optimizer.step()
    assert truth() > before + 0.2


def test_positions_say_where_they_are() -> None:
    memory, where = torch.randn(3, 4, 16), torch.tensor([[1, 0, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0]]).bool()
    found = Positions.drawn(memory, where, 99)
    for row, (user, position) in enumerate(found.place.tolist()):
        assert torch.equal(found.newest[row, 0], memory[user, position])


def test_the_default_loss_is_the_softmax() -> None:
    assert (TrainingRecipe().prm_loss, TrainingRecipe().positives, TrainingRecipe().stages) == ("softmax", 1, "joint")
