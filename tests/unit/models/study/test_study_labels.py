"""The study of step labels on a tiny dataset: arms on a shared generator, what they learned from, seeds together."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import made_dataset, made_text

from models.dataset import Dataset
from models.recipe import named
from models.results import ResultsError
from models.study import Arm, Judged, StudyError, study
from models.study.known import arms_of
from models.study.pooled import pooled, section
from models.study.run import EXACT, GUIDED
from models.study.table import label_rows, page, rows

ITEMS, USERS = 40, 60
SMALL = named("smoke").with_tokenizer(codebook=8).with_network(encoder_layers=1)


def shrunk(arm: Arm) -> Arm:
    """The arm on the smallest network, two epochs, with a hundredth of its labels."""
    stop, limit = min(arm.recipe.training.stop, 2), arm.recipe.training.label_limit // 100
    changes = {"users": 64, "epochs": 2, "stop": stop, "validate_every": 2, "label_limit": limit}
    return replace(arm, recipe=replace(SMALL, training=replace(arm.recipe.training, **changes)))  # type: ignore[arg-type]  # of different fields


def wanted(*names: str) -> list[Arm]:
    return [shrunk(arm) for arm in arms_of("labels") if arm.name in names]


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    """Users walk round a ring of items."""
    rng = np.random.default_rng(0)
    walks = [(rng.integers(ITEMS) + np.arange(rng.integers(5, 12))) % ITEMS + 1 for _ in range(USERS)]
    return made_dataset(walks, ITEMS, made_text(ITEMS))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return tmp_path_factory.mktemp("study")


@pytest.fixture(scope="module")
def judged(dataset: Dataset, folder: Path) -> list[Judged]:
    names = [
        "prefix",
        "prefix-seed1",
        "progress",
        "progress-seed1",
        "apart",
        "labels-3k",
        "matched",
        "agreed",
    ]
    return study("labels", wanted(*names), dataset, folder, lambda _: None, users=20)


def test_arms_change_one_thing_and_say_what_they_are_compared_with() -> None:
    arms = {arm.name: arm for arm in arms_of("labels")}
    assert len({arm.recipe for arm in arms.values()}) == len(arms)
    assert all(arm.expected for arm in arms.values())
    for arm in arms.values():
        base = arms[arm.control] if arm.control else arms["prefix"]
        assert base.recipe.training.seed == arm.recipe.training.seed
        assert (arm.recipe.network, arm.recipe.tokenizer) == (base.recipe.network, base.recipe.tokenizer)
        assert arm.recipe.training.epochs == base.recipe.training.epochs
        for other in {arm.control, arm.trunk, arm.judge} - {""}:
            assert list(arms).index(other) < list(arms).index(arm.name) or other == arm.name


def test_the_shared_generator_is_the_same_to_the_bit(judged: list[Judged], folder: Path) -> None:
    assert {arm.arm.trunk for arm in judged} == {"", "apart"}
    encoders = {
        name: (folder / "labels" / name / "bundle-A-inner" / "encoder.onnx").read_bytes()
        for name in ("prefix", "apart", "labels-3k", "agreed")
    }
    assert encoders["apart"] == encoders["labels-3k"] == encoders["agreed"] != encoders["prefix"]
    assert not (folder / "labels" / "labels-3k" / "promise-A").exists()


def test_what_was_learned_from_is_told(judged: list[Judged]) -> None:
    facts = {arm.arm.name: arm.facts for arm in judged}
    assert facts["labels-3k"].learned == 30
    assert facts["matched"].learned == facts["agreed"].learned <= facts["agreed"].positions
    assert not facts["prefix"].right
    for name in ("progress", "progress-seed1"):
        assert all(0 < share <= 1 for share in facts[name].right)
        assert facts[name].value == sorted(facts[name].value), "nearer to the reward, worth more"
        assert facts[name].value[-1] == 1
    head, cells = label_rows(judged)
    assert [line[0] for line in cells] == ["progress", "progress-seed1"]
    assert all(len(line) == len(head) for line in cells)


def test_arms_are_compared_with_their_controls(judged: list[Judged]) -> None:
    head, cells = rows(judged)
    gain = {line[0]: line[head.index("ΔN@10 [95 % CI]")] for line in cells}
    assert gain["prefix"] == gain["prefix-seed1"] == "–"
    assert gain["agreed"].endswith(" to matched")
    by_name = {arm.arm.name: arm.of(GUIDED).ndcg(10) for arm in judged}
    found = float(gain["progress-seed1"].partition(" ")[0].replace("−", "-"))
    assert found == pytest.approx(by_name["progress-seed1"] - by_name["prefix-seed1"], abs=6e-5)


def test_seeds_together_are_the_mean_of_each(judged: list[Judged]) -> None:
    (found,) = pooled(judged, EXACT)
    assert (found.name, found.control, len(found.each)) == ("progress", "prefix", 2)
    assert found.together.difference == pytest.approx(np.mean([seed.difference for seed in found.each]))
    assert found.together.low <= found.together.difference <= found.together.high
    assert "2 seeds" in section(judged)
    assert section(judged) in page(judged)
    assert section(judged[:2]) == ""


def test_seeds_of_other_users_do_not_pool(judged: list[Judged]) -> None:
    def turned(arm: Judged) -> Judged:
        return replace(arm, results=[replace(result, target=result.target[::-1]) for result in arm.results])

    mixed = [turned(arm) if arm.arm.name.endswith("-seed1") else arm for arm in judged]
    with pytest.raises(ResultsError, match="same users"):
        pooled(mixed)


def test_what_is_done_is_not_done_again(judged: list[Judged], dataset: Dataset, folder: Path) -> None:
    said: list[str] = []
    again = study("labels", wanted("agreed", "progress"), dataset, folder, said.append, users=20)
    assert not said
    assert [arm.facts for arm in again] == [arm.facts for arm in judged if arm.arm.name in ("agreed", "progress")]


def test_a_trunk_comes_first_and_a_judge_has_the_same_ids(dataset: Dataset, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="train the arm 'apart' first"):
        study("labels", wanted("labels-3k"), dataset, tmp_path, lambda _: None, users=20)
    odd = replace(wanted("agreed")[0], name="odd", judge="prefix-seed1")
    with pytest.raises(StudyError, match="other semantic IDs"):
        study("labels", [odd], dataset, folder, lambda _: None, users=20)
