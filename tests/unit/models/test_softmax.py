"""The chunked full softmax is torch's cross entropy: value and both gradients, wherever the chunks fall."""

import pytest
import torch
from torch import Tensor

from models import softmax
from models.softmax import full_softmax_loss

POSITIONS, CLASSES, WIDTH = 12, 7, 5


def inputs(positions: int = POSITIONS, scale: float = 1.0) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(positions)
    queries = (torch.randn(positions, WIDTH) * scale).requires_grad_()
    table = (torch.randn(CLASSES, WIDTH) * scale).requires_grad_()
    return queries, table, torch.randint(CLASSES, (positions,))


def gradients(loss: Tensor, *wanted: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(loss * 3, wanted))


@pytest.mark.parametrize("rows_a_chunk", [0, 1, 5, 11, 12, 13, 1000])
@pytest.mark.parametrize("positions", [1, POSITIONS])
def test_value_and_gradients_are_those_of_cross_entropy(
    monkeypatch: pytest.MonkeyPatch, rows_a_chunk: int, positions: int
) -> None:
    monkeypatch.setattr(softmax, "CHUNK_BYTES", rows_a_chunk * 4 * CLASSES)
    queries, table, targets = inputs(positions)
    loss = full_softmax_loss(queries, table, targets)
    wanted = torch.nn.functional.cross_entropy(queries @ table.T, targets)
    torch.testing.assert_close(loss, wanted)
    torch.testing.assert_close(gradients(loss, queries, table), gradients(wanted, queries, table))


def test_large_scores_do_not_overflow() -> None:
    queries, table, targets = inputs(scale=60.0)
    loss = full_softmax_loss(queries, table, targets)
    torch.testing.assert_close(loss, torch.nn.functional.cross_entropy(queries @ table.T, targets))
    assert all(gradient.isfinite().all() for gradient in gradients(loss, queries, table))


def test_one_side_may_be_fixed() -> None:
    queries, table, targets = inputs()
    wanted = gradients(torch.nn.functional.cross_entropy(queries @ table.T, targets), table)
    torch.testing.assert_close(gradients(full_softmax_loss(queries.detach(), table, targets), table), wanted)
    assert not full_softmax_loss(queries.detach(), table.detach(), targets).requires_grad


def test_strided_inputs_get_their_gradients_too() -> None:
    queries, table, targets = inputs()
    across = [queries.detach().T.contiguous().requires_grad_(), table.detach().T.contiguous().requires_grad_()]
    loss = full_softmax_loss(across[0].T, across[1].T, targets)
    wanted = gradients(torch.nn.functional.cross_entropy(queries @ table.T, targets), queries, table)
    torch.testing.assert_close(gradients(loss, *across), [gradient.T for gradient in wanted])


def test_half_precision_inputs_are_scored_in_float32() -> None:
    queries, table, targets = (tensor.detach() for tensor in inputs())
    with torch.autocast("cpu", torch.bfloat16):
        loss = full_softmax_loss(queries.bfloat16(), table, targets)
    assert loss.dtype is torch.float32
    wanted = torch.nn.functional.cross_entropy(queries.bfloat16().float() @ table.T, targets)
    torch.testing.assert_close(loss, wanted)
