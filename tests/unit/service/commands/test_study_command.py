"""promise study: one command from data to table, the section of a page, and mistakes as one sentence."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from models.recipe import named
from models.study import Arm, StudyError
from models.study import prm as prm_study
from service.commands.study import app

ITEMS, USERS = 30, 40


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Users walk round a ring of items."""
    rng = np.random.default_rng(0)
    with (tmp_path / "ring.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["user_id", "item_id", "timestamp"])
        for user in range(USERS):
            for step, item in enumerate((rng.integers(ITEMS) + np.arange(7)) % ITEMS):
                rows.writerow([f"u{user:02}", f"i{item:02}", step * 86_400])
    return tmp_path / "ring.csv"


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    recipe = named("smoke").with_tokenizer(codebook=6).with_training(epochs=1, precision="float32")
    arms = [Arm("base", recipe, "first"), Arm("noisy", recipe.with_training(prm_loss="uniform", negatives=4), "−.001")]
    monkeypatch.setattr(prm_study, "arms", lambda: arms)


@pytest.mark.usefixtures("small")
def test_a_study_ends_with_its_table_and_page(data: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- begin: study-prm -->\n<!-- end: study-prm -->\nafter\n")
    options = ["prm", "--dataset", str(data), "--out", str(tmp_path / "runs"), "--users", "0"]
    done = CliRunner().invoke(app, [*options, "--markdown", str(page), "--json"], catch_exceptions=False)
    cells: list[dict[str, Any]] = json.loads(done.stdout)
    assert [line["arm"] for line in cells] == ["base", "noisy"]
    assert f"{USERS} validation users" in page.read_text()
    assert "| noisy |" in page.read_text()
    assert page.read_text().endswith("after\n")
    one = CliRunner().invoke(app, [*options, "--arms", "noisy"], catch_exceptions=False)
    assert "noisy" in one.stdout
    assert "base" not in one.stdout


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(("given", "says"), [(["other"], "no study"), (["prm", "--arms", "x"], "no arm is called 'x'")])
def test_a_mistake_is_one_sentence(data: Path, given: list[str], says: str) -> None:
    with pytest.raises(StudyError, match=says):
        CliRunner().invoke(app, [*given, "--dataset", str(data)], catch_exceptions=False)
