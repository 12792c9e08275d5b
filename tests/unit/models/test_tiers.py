"""Tiers over a real bundle: their ranks are those of evaluation, level 1 is a distribution, wider expects more."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tiny import BUNDLE_ITEMS, CODES, made_sequences

from models import evaluation, measuring, spending
from models.data import DataError
from models.evaluation import Method, run_tiers
from models.evaluation.tiers import difficulties
from models.manifest import Learned, Walk
from models.metrics import I32
from models.spending import Spending
from service.budget.difficulty import LEARNED, Gauge
from service.budget.ladder import SEARCHES, Ladder
from service.engine.graphs import OnnxEngine
from service.search.plan import Rule

if TYPE_CHECKING:
    from tiny import Bundles

USERS, RULE = 12, Rule(0.0, 1.0)
WIDTHS = {"k20": ((10, 40), (20, 100), (20, 40))}


@pytest.fixture(scope="module")
def engine(bundles: "Bundles") -> OnnxEngine:
    return evaluation.open_engine(bundles.inner)


@pytest.fixture(scope="module")
def users() -> tuple[list[I32], I32]:
    sequences = made_sequences(USERS, BUNDLE_ITEMS)
    return [user[:-1] for user in sequences], np.array([user[-1] for user in sequences], np.int32)


@pytest.fixture(scope="module")
def found(engine: OnnxEngine, users: tuple[list[I32], I32]) -> Spending:
    return run_tiers(engine, RULE, *users, "test", batch=5, timed=3, widths=WIDTHS)


def test_every_tier_ranks_as_evaluation_does(engine: OnnxEngine, users: tuple[list[I32], I32], found: Spending) -> None:
    ladder = Ladder(engine.depth, RULE, exact=False, widths=WIDTHS)
    methods = [Method(name, ladder.choice(name, name, "", 10).plan) for name in SEARCHES]
    data = (engine.trie, engine.bundle.catalogue.sids, *users, [*methods, Method("exact", None)])
    results = evaluation.evaluate_engine(engine, *data, history_limit=engine.history_limit, timed=0)
    for tier, result in enumerate(results[:-1]):
        ranks = np.where(result.rank <= 10, result.rank, 0)
        np.testing.assert_array_equal(found.rank[:, tier], ranks)
    np.testing.assert_array_equal(found.exact_rank, np.where(results[-1].rank <= 10, results[-1].rank, 0))
    assert found.rank.any()


def test_level_1_is_all_there_is_to_choose_from(engine: OnnxEngine, found: Spending) -> None:
    assert found.log_prob.shape == found.reward.shape == (USERS, CODES)
    np.testing.assert_allclose(np.exp(found.log_prob).sum(1), 1, rtol=1e-3)
    assert np.isfinite(found.reward).all()
    assert (found.tiers, found.widths, found.setting) == (SEARCHES, WIDTHS, "none")
    assert found.codes == spending.digest(engine.bundle.catalogue.sids)


def test_a_list_that_misses_nothing_is_expected_to_be_worth_most(found: Spending) -> None:
    assert (found.expected[:, -1:] >= found.expected - 1e-6).all()
    assert (found.expected > 0).all()
    np.testing.assert_array_equal(found.rank[:, -1], found.exact_rank)


def test_times_are_of_every_part(found: Spending) -> None:
    times = found.times
    assert times.encode.shape == times.exact.shape == (3,)
    assert times.gauged.shape == times.gauge.shape == times.alone.shape == (3, len(SEARCHES))
    assert (times.gauge < times.gauged).all()
    assert (times.encode > 0).all()
    assert (times.auto >= times.fixed).all()


def test_a_prm_that_cannot_scan_expects_nothing(bundles: "Bundles", users: tuple[list[I32], I32]) -> None:
    cross = run_tiers(evaluation.open_engine(bundles.cross), RULE, *users, "test", timed=1)
    assert np.isnan(cross.expected).all()
    assert np.isnan(cross.times.scan)


def test_difficulty_is_what_the_service_measures(found: Spending) -> None:
    learned = Learned(bias=0.1, weights={"divergence": 0.5}, codes=tuple(np.linspace(-1, 1, CODES)))
    walk = Walk(tiers=("floor",), signal=LEARNED, learned=learned)
    order = np.argsort(-found.log_prob, axis=1).astype(np.int32)
    gauge = Gauge(LEARNED, learned.bias, learned.weights, learned.codes)
    log_prob, reward = (np.take_along_axis(values, order, 1) for values in (found.log_prob, found.reward))
    np.testing.assert_allclose(difficulties(found, walk), gauge(log_prob, reward, order), rtol=1e-6)


def test_what_a_bundle_was_trained_on_is_not_validation(bundles: "Bundles", tmp_path: Path) -> None:
    with pytest.raises(DataError, match="setting A"):
        measuring.measure(bundles.inner, "validation", "", tmp_path)
    with pytest.raises(DataError, match="test or validation"):
        measuring.measure(bundles.inner, "train", "", tmp_path)


def test_a_walk_is_shipped_to_bundles_of_the_same_codes_only(
    bundles: "Bundles", found: Spending, tmp_path: Path
) -> None:
    copy = shutil.copytree(bundles.inner, tmp_path / "copy")
    chosen = Walk(tiers=("floor", "k10"), thresholds=(0.5,), widths={"k10": ((10, 40), (10, 80), (10, 40))})
    with pytest.raises(DataError, match="no walk"):
        measuring.shipped(found, copy)
    with pytest.raises(DataError, match="semantic IDs"):
        measuring.ship(replace(found, codes="others"), chosen, copy)
    measuring.ship(found, chosen, copy)
    assert measuring.shipped(found, copy) == chosen
    with pytest.raises(DataError, match="was measured"):
        measuring.shipped(replace(found, bundle="other@1"), copy)
