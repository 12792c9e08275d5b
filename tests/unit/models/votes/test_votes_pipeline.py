"""A recipe with votes: both bundles have them, and the networks are those of the recipe without."""

from dataclasses import replace
from pathlib import Path

import pytest
from made_voted import RECIPE
from tiny import made_dataset, made_network, made_sequences, made_text

from models import contract, pipeline
from models.manifest import Manifest
from models.pipeline import Run
from models.recipe import Recipe, VotesRecipe, differing, named
from service.engine.bundle import load
from service.engine.graphs import OnnxEngine

ITEMS, USERS = 40, 60


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Run:
    data = made_dataset(made_sequences(USERS, ITEMS), ITEMS, made_text(ITEMS))
    recipe = named("smoke").with_tokenizer(codebook=6).with_training(epochs=1, precision="float32")
    run = Run(data, recipe, tmp_path_factory.mktemp("run"), "1", lambda _: None)
    pipeline.build(run)
    return run


def manifests(run: Run) -> list[Manifest]:
    return [load(run.bundle(setting, "inner")).manifest for setting in ("A", "B")]


def test_a_finished_run_gets_votes_without_training_again_and_loses_them_with_the_recipe(plain: Run) -> None:
    said: list[str] = []
    before = manifests(plain)
    assert [each.votes for each in before] == [None, None]
    voting = replace(plain, recipe=replace(plain.recipe, votes=RECIPE), log=said.append)
    pipeline.build(voting)
    after = manifests(voting)
    assert not [line for line in said if "train_s" in line], "no epoch was run"
    assert all(each.votes and each.votes.heads == RECIPE.heads for each in after)
    assert after[0].votes == after[1].votes, "B has the temperatures of A: it trained on the validation items"
    for old, new in zip(before, after, strict=True):
        assert {name: digest for name, digest in new.files.items() if name != contract.VOTES.file} == old.files
    assert OnnxEngine(load(voting.bundle("B", "inner")), "cpu", 1).voters == RECIPE.heads
    pipeline.build(plain)
    assert [each.votes for each in manifests(plain)] == [None, None]


def test_a_network_without_the_inner_form_gets_none(plain: Run, tmp_path: Path) -> None:
    run = replace(plain, recipe=replace(plain.recipe, votes=RECIPE), folder=tmp_path)
    assert pipeline.fit_votes(run, made_network(forms=("cross",)), "A") is None
    assert not list(tmp_path.iterdir())


def test_what_is_by_default_changes_no_choice() -> None:
    assert Recipe().choices() == {}
    assert replace(Recipe(), votes=VotesRecipe()).choices() == {"votes": vars(VotesRecipe())}
    older = {"training": {"epochs": 3, "users": Recipe().training.users}, "name": "x"}
    assert differing(older, Recipe().as_dict()) == {"training": {"epochs": 3}, "name": "x"}
    assert differing({"training": {"users": Recipe().training.users}}, Recipe().as_dict()) == {}
