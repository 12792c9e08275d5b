"""Arms of a study on a tiny dataset: trained, exported, judged once, and compared pair by pair."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import made_dataset, made_text

from models.dataset import Dataset
from models.pipeline import RunError
from models.recipe import Recipe, named
from models.study import Arm, Judged, StudyError, study
from models.study.run import BEAM, EXACT, FUSED, GUIDED
from models.study.table import page, rows

ITEMS, USERS = 40, 60
ARMS = ["first", "second", "two stages"]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    """Users walk round a ring of items."""
    rng = np.random.default_rng(0)
    walks = [(rng.integers(ITEMS) + np.arange(rng.integers(5, 12))) % ITEMS + 1 for _ in range(USERS)]
    return made_dataset(walks, ITEMS, made_text(ITEMS))


def arms() -> list[Arm]:
    small = named("smoke").with_tokenizer(codebook=8).with_network(encoder_layers=1)
    small = small.with_training(epochs=2, validate_every=2, precision="float32")
    other, apart = small.with_training(epochs=1), small.with_training(stages="two")
    return [Arm(ARMS[0], small, "the base"), Arm(ARMS[1], other, "worse", fused=True), Arm(ARMS[2], apart, "as good")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("study")


@pytest.fixture(scope="module")
def judged(dataset: Dataset, folder: Path) -> list[Judged]:
    return study("trial", arms(), dataset, folder, lambda _: None, users=20)


def test_every_arm_is_judged_on_the_same_users_by_every_method(judged: list[Judged]) -> None:
    assert [arm.arm.name for arm in judged] == ARMS
    assert [result.method for result in judged[0].results] == [BEAM, GUIDED, EXACT]
    assert [result.method for result in judged[1].results] == [BEAM, GUIDED, FUSED, EXACT]
    targets = judged[0].of(GUIDED).target
    assert len(targets) == 20
    assert all(np.array_equal(result.target, targets) for arm in judged for result in arm.results)


def test_what_is_done_is_not_done_again(judged: list[Judged], dataset: Dataset, folder: Path) -> None:
    said: list[str] = []
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    again = study("trial", arms(), dataset, folder, said.append, users=20, only=["second"])
    assert not said
    assert [arm.arm.name for arm in again] == ["second"]
    assert np.array_equal(again[0].of(FUSED).rank, judged[1].of(FUSED).rank)
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_a_cut_study_goes_on_from_the_bundle(judged: list[Judged], dataset: Dataset, folder: Path) -> None:
    (folder / "trial" / "first" / "validation-20.npz").unlink()
    said: list[str] = []
    again = study("trial", arms(), dataset, folder, said.append, users=20, only=["first"])
    assert len(said) == 1, "judged, not trained"
    assert np.array_equal(again[0].of(GUIDED).rank, judged[0].of(GUIDED).rank)


def test_the_table_compares_with_the_first_arm(judged: list[Judged]) -> None:
    head, cells = rows(judged)
    assert [line[0] for line in cells] == ["first", "second", "second, log π + y", "two stages"]
    gain = [line[head.index("ΔN@10 [95 % CI]")] for line in cells]
    assert gain[0] == "–"
    differences = [float(text.partition(" ")[0].replace("−", "-")) for text in gain[1:]]
    base = judged[0].of(GUIDED).ndcg(10)
    wanted = [judged[1].of(GUIDED), judged[1].of(FUSED), judged[2].of(GUIDED)]
    assert differences == pytest.approx([result.ndcg(10) - base for result in wanted], abs=6e-5)
    assert all(len(line) == len(head) for line in cells)
    assert "20 validation users" in page(judged)


def test_another_recipe_needs_another_folder(judged: list[Judged], dataset: Dataset, folder: Path) -> None:
    assert judged
    changed: Recipe = arms()[0].recipe.with_training(seed=5)
    with pytest.raises(RunError, match="another recipe"):
        study("trial", [replace(arms()[0], recipe=changed)], dataset, folder, lambda _: None, users=20)


@pytest.mark.parametrize(
    ("names", "only", "says"), [(["a", "a"], [], "share a name"), (["a", "b"], ["c"], "no arm is called 'c'")]
)
def test_arms_are_named_once_and_asked_for_by_name(
    dataset: Dataset, tmp_path: Path, names: list[str], only: list[str], says: str
) -> None:
    with pytest.raises(StudyError, match=says):
        study("trial", [Arm(name, Recipe(), "") for name in names], dataset, tmp_path, print, only=only)
