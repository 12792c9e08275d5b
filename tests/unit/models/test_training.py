"""The loop: resuming is as if never cut, selection keeps the best epoch, the rate follows its schedule."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tiny import HISTORY, SIZES, TRAINING, made_network, made_sequences, same_weights
from torch import Tensor, nn

from models.network import CrossStage
from models.recipe import TrainingRecipe
from models.sasrec import SASRec
from models.training import Trainer, measured_precision, validate

I32 = NDArray[np.int32]
ITEMS = 30
SEQUENCES = made_sequences(24, ITEMS)
VALIDATION = ([rows[:-1] for rows in SEQUENCES], np.array([rows[-1] for rows in SEQUENCES], np.int32))
# Gradients that come together in another order differ in the last bit; one thread has one order.
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def made_model(kind: str) -> nn.Module:
    torch.manual_seed(0)
    if kind == "sasrec":
        return SASRec(ITEMS, None, SIZES).train()
    if kind == "stage":
        return CrossStage(made_network(ITEMS))
    return made_network(ITEMS, forms=("cross",) if kind == "cross" else ("inner",)).train()


def trainer(folder: Path, kind: str = "inner", recipe: TrainingRecipe = TRAINING) -> Trainer:
    return Trainer(made_model(kind), recipe, HISTORY, folder)


@pytest.mark.parametrize("kind", ["inner", "cross", "stage", "sasrec"])
def test_a_resumed_run_ends_with_the_weights_of_one_never_cut(tmp_path: Path, kind: str) -> None:
    whole = trainer(tmp_path / "whole", kind)
    whole.fit(SEQUENCES, None)
    cut = trainer(tmp_path / "cut", kind)
    cut.fit(SEQUENCES, None, until=1)
    assert not same_weights(cut.model, whole.model)
    torch.manual_seed(12345)
    resumed = trainer(tmp_path / "cut", kind)
    assert resumed.fit(SEQUENCES, None).epoch == TRAINING.epochs
    assert same_weights(resumed.model, whole.model)
    assert not same_weights(whole.model, made_model(kind))


def test_a_cut_between_checkpoints_repeats_the_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = trainer(tmp_path / "whole")
    whole.fit(SEQUENCES, VALIDATION)
    cut = trainer(tmp_path / "cut")
    cut.fit(SEQUENCES, VALIDATION, until=2)

    def lost(_: object) -> dict[str, float]:
        raise KeyboardInterrupt

    monkeypatch.setattr(cut, "select", lost)
    with pytest.raises(KeyboardInterrupt):
        cut.fit(SEQUENCES, VALIDATION)
    resumed = trainer(tmp_path / "cut")
    assert resumed.fit(SEQUENCES, VALIDATION).best == whole.progress.best
    assert same_weights(resumed.model, whole.model)


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    first = trainer(tmp_path)
    first.fit(SEQUENCES, VALIDATION)
    written = (tmp_path / "last.pt").read_bytes()
    lines: list[str] = []
    again = Trainer(made_model("inner"), TRAINING, HISTORY, tmp_path, lines.append)
    again.fit(SEQUENCES, VALIDATION)
    assert lines == [f"resumed after epoch {TRAINING.epochs}"]
    assert (tmp_path / "last.pt").read_bytes() == written
    assert again.progress == first.progress
    assert same_weights(again.model, first.model)


def test_training_lowers_every_loss_and_logs_it(tmp_path: Path) -> None:
    recipe = replace(TRAINING, epochs=6, learning_rate=1e-2)
    progress = trainer(tmp_path, "cross", recipe).fit(SEQUENCES, None)
    assert [row["epoch"] for row in progress.log] == [1, 2, 3, 4, 5, 6]
    assert all(progress.log[-1][name] < progress.log[0][name] for name in ("generator", "cross"))
    assert json.loads((tmp_path / "log.json").read_text()) == progress.log


class Scripted(nn.Module):
    """Its weight counts steps; on validation the target is first only in the given epochs."""

    def __init__(self, good: set[int]) -> None:
        super().__init__()
        self.steps, self.good, self.validated = nn.Parameter(torch.zeros(1)), good, 0

    def loss(self, items: Tensor, targets: Tensor) -> dict[str, Tensor]:
        assert items.shape == targets.shape
        return {"fall": -self.steps.sum()}

    def leaf_scores(self, items: Tensor, lengths: Tensor) -> Tensor:
        assert not self.training
        assert len(items) == len(lengths)
        self.validated += 1
        scores = torch.zeros(len(items), ITEMS + 1)
        scores[:, ITEMS] = 1.0 if self.validated in self.good else -1.0
        return scores


def test_selection_keeps_the_weights_of_the_best_epoch_and_the_first_wins_ties(tmp_path: Path) -> None:
    model, weights = Scripted(good={2, 3}), []
    recipe = replace(TRAINING, epochs=5, weight_decay=0.0)
    run = Trainer(model, recipe, HISTORY, tmp_path, lambda _: weights.append(model.steps.item()))
    histories = [np.array([1, 2], np.int32)] * 3
    progress = run.fit(SEQUENCES, (histories, np.full(3, ITEMS, np.int32)))
    assert len(set(weights)) == 5
    assert (progress.best_epoch, progress.best) == (2, 1.0)
    assert model.steps.item() == weights[1]


def test_without_validation_the_last_weights_stay(tmp_path: Path) -> None:
    model, weights = Scripted(set()), []
    Trainer(model, TRAINING, HISTORY, tmp_path, lambda _: weights.append(model.steps.item())).fit(SEQUENCES, None)
    assert model.validated == 0
    assert model.steps.item() == weights[-1]


@pytest.mark.parametrize(("every", "epochs", "wanted"), [(1, 3, [1, 2, 3]), (2, 5, [2, 4, 5]), (9, 4, [4])])
def test_validation_is_due(tmp_path: Path, every: int, epochs: int, wanted: list[int]) -> None:
    run = trainer(tmp_path, recipe=replace(TRAINING, epochs=epochs, validate_every=every))
    assert [epoch for epoch in range(1, epochs + 1) if run.due(epoch)] == wanted


class Fixed(nn.Module):
    """The same scores for everyone."""

    def __init__(self, scores: list[float]) -> None:
        super().__init__()
        self.scores = torch.tensor(scores)

    def loss(self, items: Tensor, targets: Tensor) -> dict[str, Tensor]:
        raise NotImplementedError

    def leaf_scores(self, items: Tensor, lengths: Tensor) -> Tensor:
        assert len(items) == len(lengths)
        return self.scores.repeat(len(items), 1)


def test_validation_ranks_in_full_without_what_was_seen() -> None:
    model = Fixed([-torch.inf, *[float(n) for n in range(20)]])
    histories = [np.array(rows, np.int32) for rows in ([20, 19], [1], [3, 20], [5])]
    recall, ndcg = validate(model, histories, np.array([18, 18, 10, 11], np.int32), HISTORY)
    ranks = [1, 3, 10, 10]
    assert recall == 1.0
    assert ndcg == pytest.approx(np.mean([1 / np.log2(rank + 1) for rank in ranks]))
    assert validate(model, histories[3:], np.array([10], np.int32), HISTORY) == (0.0, 0.0)


def test_the_rate_rises_straight_and_falls_as_a_cosine(tmp_path: Path) -> None:
    run = trainer(tmp_path, recipe=replace(TRAINING, warmup=0.2, learning_rate=0.5))
    rates = []
    for done in np.linspace(0, 1, 101):
        run.set_rate(float(done))
        rates += [group["lr"] for group in run.optimizer.param_groups]
    assert rates[0] == 0
    assert rates[10] == pytest.approx(0.25)
    assert rates[20] == pytest.approx(0.5)
    assert rates[60] == pytest.approx(0.25)
    assert rates[100] == pytest.approx(0, abs=1e-9)
    assert np.all(np.diff(rates[:21]) > 0)
    assert np.all(np.diff(rates[20:]) < 0)
    level = trainer(tmp_path, recipe=replace(TRAINING, warmup=0.0, learning_rate=0.5))
    level.set_rate(0.0)
    assert level.optimizer.param_groups[0]["lr"] == 0.5


def test_precision_is_named_or_measured(tmp_path: Path) -> None:
    assert measured_precision("float32") is torch.float32
    assert measured_precision("bfloat16") is torch.bfloat16
    assert measured_precision("auto") in (torch.float32, torch.bfloat16)
    run = trainer(tmp_path, recipe=replace(TRAINING, precision="bfloat16", epochs=1))
    assert all(np.isfinite(figure) for row in run.fit(SEQUENCES, None).log for figure in row.values())
