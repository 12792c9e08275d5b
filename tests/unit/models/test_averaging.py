"""Options of the loop: the mean of the newest epochs' weights, a stop before the schedule's end, thinned histories."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tiny import HISTORY, TRAINING, made_network, made_sequences, same_weights
from torch import Tensor, nn

from models.averaging import Averaged
from models.batches import thinned
from models.recipe import TrainingRecipe
from models.training import Trainer

I32 = NDArray[np.int32]
ITEMS = 30
SEQUENCES = made_sequences(24, ITEMS)
VALIDATION = ([rows[:-1] for rows in SEQUENCES], np.array([rows[-1] for rows in SEQUENCES], np.int32))


class Counting(nn.Module):
    """Its only weight is set to the number of batches' worth of epochs by hand; validation sees what is in it."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.seen: list[float] = []

    def loss(self, items: Tensor, targets: Tensor) -> dict[str, Tensor]:
        assert items.shape == targets.shape
        return {"fall": -self.weight.sum()}

    def leaf_scores(self, items: Tensor, lengths: Tensor) -> Tensor:
        assert len(items) == len(lengths)
        self.seen.append(self.weight.item())
        return torch.zeros(len(items), ITEMS + 1)


def trained(folder: Path, until: int | None = None, **changes: Any) -> Trainer:
    torch.manual_seed(0)
    network = made_network(ITEMS).train()
    run = Trainer(network, replace(TRAINING, **changes), HISTORY, folder)
    run.fit(SEQUENCES, None, until)
    return run


def mean_of(runs: list[Trainer]) -> dict[str, Tensor]:
    states = [run.model.state_dict() for run in runs]
    return {name: torch.stack([state[name] for state in states]).mean(0) for name in states[0]}


def test_the_final_weights_are_the_mean_of_the_newest_epochs(tmp_path: Path) -> None:
    single = [trained(tmp_path / str(epoch), until=epoch) for epoch in (2, 3, 4)]
    averaged = trained(tmp_path / "averaged", averaged=3).model.state_dict()
    for name, weights in mean_of(single).items():
        torch.testing.assert_close(averaged[name], weights, rtol=1e-4, atol=1e-6)
    assert not same_weights(single[-1].model, trained(tmp_path / "again", averaged=3).model)


def test_averaging_does_not_change_how_training_goes_on(tmp_path: Path) -> None:
    plain, averaged = trained(tmp_path / "plain"), trained(tmp_path / "averaged", averaged=2)
    for name, weights in plain.model.state_dict().items():
        torch.testing.assert_close(averaged.averaged.newest[-1][name], weights, rtol=1e-4, atol=1e-6)
    assert plain.progress.log[-1]["generator"] == pytest.approx(averaged.progress.log[-1]["generator"], rel=1e-4)


def test_the_mean_survives_a_cut(tmp_path: Path) -> None:
    whole = trained(tmp_path / "whole", averaged=3)
    trained(tmp_path / "cut", until=3, averaged=3)
    resumed = trained(tmp_path / "cut", averaged=3)
    assert resumed.progress.epoch == 4
    for name, weights in whole.model.state_dict().items():
        torch.testing.assert_close(resumed.model.state_dict()[name], weights, rtol=1e-4, atol=1e-6)
    kept = torch.load(tmp_path / "cut" / "last.pt", weights_only=True)["model"]
    assert all(torch.equal(kept[name], weights) for name, weights in resumed.model.state_dict().items())


def test_validation_sees_the_mean_and_training_its_own_weights(tmp_path: Path) -> None:
    model, own = Counting(), []
    recipe = replace(TRAINING, averaged=2, users=len(SEQUENCES), weight_decay=0.0)
    run = Trainer(model, recipe, HISTORY, tmp_path, lambda _: own.append(model.weight.item()))
    progress = run.fit(SEQUENCES, VALIDATION)
    wanted = [own[0], *[(a + b) / 2 for a, b in pairwise(own)]]
    assert len(set(own)) == TRAINING.epochs
    assert model.seen == pytest.approx(wanted)
    assert model.weight.item() == pytest.approx(wanted[progress.best_epoch - 1])


def test_integers_are_not_averaged_and_one_epoch_is_no_mean() -> None:
    model = nn.BatchNorm1d(2)
    mean = Averaged(model, 2)
    mean.add()
    assert torch.equal(mean.mean()["weight"], model.weight)
    with torch.no_grad():
        model.weight.add_(2)
        model.get_buffer("num_batches_tracked").add_(5)
    mean.add()
    assert mean.mean()["weight"].tolist() == [2.0, 2.0]
    assert mean.mean()["num_batches_tracked"].item() == 5
    assert Averaged(model, 0).newest == []


def test_a_stop_ends_the_loop_and_leaves_the_schedule(tmp_path: Path) -> None:
    stopped = trained(tmp_path / "stopped", stop=2, epochs=4)
    assert stopped.progress.epoch == 2
    assert same_weights(stopped.model, trained(tmp_path / "cut", until=2, epochs=4).model)
    rate = stopped.optimizer.param_groups[0]["lr"]
    assert 0.3 * TRAINING.learning_rate < rate < 0.9 * TRAINING.learning_rate


def test_with_a_stop_the_last_epoch_is_kept_whatever_validation_says(tmp_path: Path) -> None:
    torch.manual_seed(0)
    run = Trainer(made_network(ITEMS).train(), replace(TRAINING, stop=3, validate_every=2), HISTORY, tmp_path)
    progress = run.fit(SEQUENCES, VALIDATION)
    assert progress.best_epoch == progress.epoch == 3
    assert [row["epoch"] for row in progress.log if "val_ndcg@10" in row] == [2, 3]


@settings(max_examples=60, deadline=None)
@given(lengths=st.lists(st.integers(0, 12), max_size=12), share=st.floats(0.0, 0.99), seed=st.integers(0, 99))
def test_thinning_keeps_order_the_newest_and_someone_to_learn_from(lengths: list[int], share: float, seed: int) -> None:
    sequences = [np.arange(1, n + 1, dtype=np.int32) for n in lengths]
    found = thinned(sequences, share, np.random.default_rng(seed))
    for before, after in zip(sequences, found, strict=True):
        assert np.all(np.diff(after) > 0)
        assert set(after) <= set(before)
        assert len(after) >= min(2, len(before))
        assert list(after[-1:]) == list(before[-1:])


def test_thinning_drops_about_the_share_and_anew_every_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = [np.arange(1, 1001, dtype=np.int32)]
    assert 750 < len(thinned(long, 0.2, np.random.default_rng(0))[0]) < 850
    drawn: list[list[int]] = []

    def noted(sequences: list[I32], share: float, rng: np.random.Generator) -> list[I32]:
        found = thinned(sequences, share, rng)
        drawn.append([len(sequence) for sequence in found])
        return found

    monkeypatch.setattr("models.training.thinned", noted)
    trained(tmp_path / "one", augment=0.4, epochs=2)
    trained(tmp_path / "other", augment=0.4, epochs=2)
    assert drawn[0] != drawn[1]
    assert drawn[:2] == drawn[2:]
    trained(tmp_path / "none", epochs=1)
    assert len(drawn) == 4


def test_the_options_are_off_by_default() -> None:
    recipe = TrainingRecipe()
    assert (recipe.augment, recipe.averaged, recipe.stop, recipe.survival) == (0.0, 0, 0, 0.0)
