"""Two processes under torchrun train as one does: the same batches, gradients, losses and weights, written once."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ranks_world
import torch

from models import distributed

ROOT = Path(__file__).resolve().parents[3]


KNOWN = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}", "OMP_NUM_THREADS": "1"}


def torchrun(folder: Path, dropout: float = 0.0, dies_after: int = 0) -> tuple[int, str]:
    """Exit code and what was said by two processes; gloo over the loopback address."""
    script = [ranks_world.__file__, str(folder), str(dropout), str(dies_after)]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", *script]
    ended = subprocess.run(command, env=KNOWN, capture_output=True, text=True, timeout=240, check=False)
    return ended.returncode, ended.stderr


def paired(folder: Path) -> None:
    """This process and one more train together."""
    meeting = folder / "meeting"
    command = [sys.executable, ranks_world.__file__, str(folder), "0", "0", str(meeting)]
    with one_thread(), subprocess.Popen(command, env=KNOWN) as other:
        ranks_world.join(meeting, 0)
        try:
            ranks_world.train(folder)
        finally:
            distributed.end()
        assert other.wait(timeout=100) == 0


@contextmanager
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def logged(folder: Path) -> list[dict[str, float]]:
    rows: list[dict[str, float]] = json.loads((folder / "log.json").read_text())
    return rows


def weights(folder: Path, name: str) -> dict[str, torch.Tensor]:
    state: dict[str, Any] = torch.load(folder / name, weights_only=True)
    found: dict[str, torch.Tensor] = state.get("model", state)
    return found


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("one")
    with one_thread():
        ranks_world.train(folder)
    return folder


def test_two_processes_train_as_one_does(one: Path, tmp_path: Path) -> None:
    paired(tmp_path)
    for alone, both in zip(logged(one), logged(tmp_path), strict=True):
        assert alone.keys() == both.keys()
        for name in alone.keys() - {"train_s"}:
            assert both[name] == pytest.approx(alone[name], rel=1e-4), name
    for file in ("best.pt", "last.pt"):
        for name, values in weights(one, file).items():
            np.testing.assert_allclose(weights(tmp_path, file)[name], values, rtol=2e-3, atol=2e-4, err_msg=name)
    first, second = (json.loads((tmp_path / f"rank-{rank}.json").read_text()) for rank in range(2))
    assert first == second, "all processes leave with the same weights and the same choice of an epoch"


@pytest.mark.faults
def test_a_process_that_dies_ends_the_run_with_a_sentence_and_the_next_run_goes_on(one: Path, tmp_path: Path) -> None:
    code, said = torchrun(tmp_path, dies_after=1)
    assert code != 0
    assert "so the training ends" in said or "-9" in said
    assert len(logged(tmp_path)) == 1
    code, said = torchrun(tmp_path)
    assert code == 0, said
    assert [row["generator"] for row in logged(tmp_path)] == pytest.approx(
        [row["generator"] for row in logged(one)], rel=1e-4
    )


@pytest.mark.faults
def test_processes_draw_masks_of_their_own(tmp_path: Path) -> None:
    for name in ("a", "b"):
        code, said = torchrun(tmp_path / name, dropout=0.3)
        assert code == 0, said
    assert logged(tmp_path / "a")[-1]["generator"] == logged(tmp_path / "b")[-1]["generator"], "seeded all the same"


@pytest.mark.parametrize("users", [1, 2, 5])
def test_shares_of_a_batch_are_all_of_it(users: int, monkeypatch: pytest.MonkeyPatch) -> None:
    items = torch.arange(1, users * 4 + 1).view(users, 4)
    targets = torch.where(torch.arange(4) < torch.arange(1, users + 1)[:, None], items, 0)
    monkeypatch.setattr(distributed, "ranks", lambda: 3)
    seen, parts = list[int](), list[float]()
    for rank in range(3):
        monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
        mine, goals, part = distributed.share(items, targets)
        parts.append(part)
        assert (goals > 0).any(), "a mean over no position would be no number"
        seen += mine[:, 0].tolist() if part else []
    assert sorted(seen) == items[:, 0].tolist()
    assert sum(parts) == pytest.approx(1.0)


def test_alone_everything_is_as_it_was() -> None:
    items = torch.ones(2, 3, dtype=torch.long)
    assert distributed.share(items, items) == (items, items, 1.0)
    assert (distributed.rank(), distributed.ranks()) == (0, 1)
    assert distributed.told(lambda: "found") == "found"
    assert distributed.summed({"loss": 1.5}) == {"loss": 1.5}
    with distributed.first_then_others(), pytest.raises(RuntimeError, match="gloo"), distributed.together():
        raise RuntimeError("gloo is no business of one process")
