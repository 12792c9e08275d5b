"""The baseline: causal, full cross entropy over all items, output tied to input."""

import pytest
import torch
from tiny import SIZES, made_sequences, made_text, padded
from torch.nn.functional import cross_entropy

from models.sasrec import SASRec

ITEMS = 30


def made(text: bool = True, seed: int = 0) -> SASRec:
    torch.manual_seed(seed)
    model = SASRec(ITEMS, made_text(ITEMS) if text else None, SIZES).eval()
    with torch.no_grad():
        for weights in model.parameters():
            weights.add_(torch.randn_like(weights) * 0.2)
    return model


@pytest.mark.parametrize("text", [True, False])
def test_the_loss_is_the_cross_entropy_over_all_items(text: bool) -> None:
    model = made(text)
    items, targets = torch.tensor([[3, 4, 5], [6, 0, 0]]), torch.tensor([[4, 5, 9], [7, 0, 0]])
    assert set(model.loss(items, targets)) == {"softmax"}
    scores = torch.stack(
        [
            model.leaf_scores(torch.tensor([history]), torch.tensor([len(history)]))[0]
            for history in ([3], [3, 4], [3, 4, 5], [6])
        ]
    )
    wanted = cross_entropy(scores[:, 1:], torch.tensor([4, 5, 9, 7]) - 1)
    torch.testing.assert_close(model.loss(items, targets)["softmax"].detach(), wanted, rtol=1e-4, atol=1e-5)


def test_what_comes_later_and_padding_change_nothing() -> None:
    model = made()
    items = torch.tensor([[3, 4, 5]])
    one = model.loss(items, torch.tensor([[4, 5, 0]]))["softmax"]
    assert torch.equal(one, model.loss(torch.tensor([[3, 4, 20]]), torch.tensor([[4, 5, 0]]))["softmax"])
    histories = [rows.tolist()[:8] for rows in made_sequences(5, ITEMS)]
    together = model.leaf_scores(*padded(histories))
    for scores, history in zip(together, histories, strict=True):
        torch.testing.assert_close(scores, model.leaf_scores(*padded([history]))[0], rtol=1e-4, atol=1e-5)


def test_padding_is_never_ranked_and_text_is_used() -> None:
    model = made()
    scores = model.leaf_scores(*padded([[1, 2]]))
    assert scores.shape == (1, ITEMS + 1)
    assert torch.isneginf(scores[:, 0]).all()
    assert scores[:, 1:].isfinite().all()
    model.text.neg_()
    assert not torch.allclose(model.leaf_scores(*padded([[1, 2]]))[:, 1:], scores[:, 1:])


def test_it_learns_a_cycle() -> None:
    torch.manual_seed(0)
    model = SASRec(ITEMS, None, SIZES)
    items = torch.arange(1, ITEMS + 1)[:, None] + torch.arange(3)
    items, targets = (items - 1) % ITEMS + 1, items % ITEMS + 1
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        loss = model.loss(items, targets)["softmax"]
        torch.autograd.backward(loss)
        optimizer.step()
    best = model.eval().leaf_scores(items, torch.full((ITEMS,), 3)).argmax(1)
    assert (best == targets[:, -1]).float().mean() > 0.9
