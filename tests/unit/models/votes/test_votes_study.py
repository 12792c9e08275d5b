"""The study of votes over a tiny finished run: its figures are those of the searches and rankings they name."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made_voted import RECIPE
from tiny import made_dataset, made_network, made_sequences, made_text

from models import evaluation, pipeline
from models.evaluation import voted
from models.metrics import ndcg_per_user
from models.recipe import named
from models.runs import Run, Setting
from models.votes import perturbed, study, tables
from models.votes.calibrating import contexts
from models.votes.judging import FIRST_WRONG, ITEM_MISSED, REWARD, Judged

ITEMS, USERS = 60, 90
SIZE = replace(RECIPE, heads=2, epochs=1)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    data = made_dataset(made_sequences(USERS, ITEMS), ITEMS, made_text(ITEMS))
    recipe = named("smoke").with_tokenizer(codebook=6).with_training(epochs=1, precision="float32")
    run = Run(data, recipe, tmp_path_factory.mktemp("run"), "1", lambda _: None)
    pipeline.build(run)
    return run


@pytest.fixture(scope="module")
def found(run: Run) -> dict[Setting, Judged]:
    recipe = replace(run.recipe, votes=SIZE)
    return study.run(run.dataset, run.folder, run.folder / "voted", run.log, recipe=recipe)


def test_the_reward_is_ranked_as_the_scan_ranks(run: Run, found: dict[Setting, Judged]) -> None:
    engine = evaluation.open_engine(run.bundle("B", "inner"))
    method = [each for each in evaluation.methods_default(engine.depth) if each.name == "exact"]
    sids, cases = engine.bundle.catalogue.sids, run.split("B").test
    (exact,) = evaluation.evaluate_engine(
        engine, engine.trie, sids, *cases, method, history_limit=engine.history_limit, timed=0
    )
    same = np.isclose(found["B"].exact[REWARD], ndcg_per_user(exact.rank, 10))
    assert same.mean() > 0.95, "but for ties within rounding"
    missed = (exact.rank == 0) | (exact.rank > 10)
    assert (found["B"].wrong[ITEM_MISSED] == missed).mean() > 0.95


def test_searches_are_by_the_mean_of_the_first_votes(run: Run, found: dict[Setting, Judged]) -> None:
    assert sorted(found["B"].guided) == [0, 1, 2]
    engine = evaluation.open_engine(run.folder / "voted" / "bundle-B")
    asked, cases = voted.MeanOf(engine, 1), run.split("B").test
    users = evaluation.ranking.Users(engine.trie, engine.bundle.catalogue.sids, *cases, engine.history_limit)
    context = users.context(engine, np.arange(5))
    children = engine.expand(context, engine.root(5), 0, 6)
    votes = engine.vote(context, children, 0).votes
    pruned = asked.prune(context, children, 0, 3, 0.0)
    assert np.array_equal(pruned.all_rewards.numpy(), votes[..., 0])
    assert engine.voters == 2, "the engine it stands over is as it was"


def test_level_one_is_whole_and_its_errors_are_named(run: Run, found: dict[Setting, Judged]) -> None:
    first, split = found["B"].first, run.split("B")
    assert first.votes.shape == (*first.reward.shape, 2)
    with np.load(run.stage("B") / "sids.npz") as stored:
        codes = stored["codes"]
    prefixes = np.unique(codes[:, 0])
    true = np.searchsorted(prefixes, codes[split.test.targets - 1, 0])
    assert np.array_equal(found["B"].wrong[FIRST_WRONG], first.reward.argmax(1) != true)


def test_temperatures_of_b_are_those_of_a(found: dict[Setting, Judged]) -> None:
    assert found["A"].temperature == found["B"].temperature
    assert REWARD in found["A"].temperature


def test_the_page_holds_every_source_and_says_what_was_expected(found: dict[Setting, Judged]) -> None:
    page = tables.page(found)
    assert tables.EXPECTED in page
    assert f"{USERS} test users" in page
    for source in found["B"].exact:
        assert f"| {source} |" in page
    assert "AUROC of the learned difficulty" in page


def test_a_second_call_fits_nothing_again(run: Run, found: dict[Setting, Judged]) -> None:
    said: list[str] = []
    again = study.run(
        run.dataset, run.folder, run.folder / "voted", said.append, recipe=replace(run.recipe, votes=SIZE)
    )
    assert not [line for line in said if "votes: step" in line or "train_s" in line]
    for source, exact in found["B"].exact.items():
        assert np.array_equal(again["B"].exact[source], exact), source


def test_a_sample_is_seeded_and_in_order(run: Run) -> None:
    cases = run.split("B").test
    one, two = study.sample(cases, 7), study.sample(cases, 7)
    assert len(one.targets) == 7
    assert np.array_equal(one.targets, two.targets)
    assert len(study.sample(cases, 0).targets) == len(cases.targets)


def test_no_noise_gives_the_contexts_themselves_and_noise_moves_them() -> None:
    network = made_network(ITEMS)
    histories = made_sequences(7, ITEMS)
    clean = contexts(network, histories)
    none, some = (perturbed.noisy(network, histories, 3, sigma) for sigma in (0.0, 0.3))
    torch.testing.assert_close(none, clean[:, :, None].expand_as(none))
    assert (some[:, :, 0] - some[:, :, 1]).abs().amax(2).min() > 1e-4
    dropped = perturbed.dropped(network, histories, 2)
    assert not network.training
    assert (dropped[:, :, 0] - dropped[:, :, 1]).abs().amax(2).max() > 1e-3


def test_recipe_best_with_the_seed_of_the_run(tmp_path: Path) -> None:
    (tmp_path / "promise-A").mkdir()
    note = tmp_path / "promise-A" / "made-of.json"
    for recipe, seed in (('{"training": {"stop": 14, "seed": 2}}', 2), ('{"name": "best"}', 0)):
        note.write_text(f'{{"recipe": {recipe}}}')
        assert study.recipe_of(tmp_path) == named("best").with_training(seed=seed)
