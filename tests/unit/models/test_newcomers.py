"""Items that came after training: every rule leaves known rows alone and gives new ones what it says."""

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from tiny import BUNDLE_ITEMS, CODES, Bundles, made_dataset, made_sequences, made_text

from models.evaluation.newcomers import Newcomers, Rule, code_sums, mean_words, only, open_with
from models.recipe import named
from models.study import cold as study
from service.engine.bundle import Bundle, load
from service.engine.regrow import learned_nodes

RULES: tuple[Rule, ...] = get_args(Rule)


@pytest.fixture(scope="module")
def bundle(bundles: Bundles) -> Bundle:
    return load(bundles.inner)


@pytest.fixture(scope="module")
def new(bundle: Bundle) -> Newcomers:
    """Four items at free paths, one of them below a known prefix of two codes."""
    taken = {tuple(path) for path in bundle.catalogue.sids.tolist()}
    free = [path for path in np.ndindex(CODES, CODES, CODES) if path not in taken]
    codes = np.array(free[:: len(free) // 4][:4], np.int32)
    words = np.random.default_rng(0).normal(size=(BUNDLE_ITEMS + 5, 16)).astype(np.float32)
    return Newcomers([f"new{n}" for n in range(4)], codes, words)


@pytest.mark.parametrize("rule", RULES)
def test_known_rows_stay_and_new_items_are_on_offer(bundle: Bundle, new: Newcomers, rule: Rule) -> None:
    grown = new.join(bundle, rule)
    old = learned_nodes(grown.trie, bundle.trie)
    known = np.flatnonzero(old)
    assert np.array_equal(grown.tables.node_rows[known], bundle.tables.node_rows[old[known]])
    assert np.array_equal(grown.tables.item_rows, bundle.tables.item_rows)
    assert [grown.catalogue.rows[item] for item in new.ids] == list(range(BUNDLE_ITEMS + 1, BUNDLE_ITEMS + 5))
    assert np.array_equal(grown.catalogue.sids[BUNDLE_ITEMS:], new.codes)


def test_the_rule_of_text_adds_nothing_learned(bundle: Bundle, new: Newcomers) -> None:
    grown = new.join(bundle, "text")
    leaves = grown.trie.row_leaf[BUNDLE_ITEMS + 1 :]
    wanted = code_sums(grown.trie, bundle.tables.code_rows)[leaves] + new.words[BUNDLE_ITEMS + 1 :]
    assert np.allclose(grown.tables.node_rows[leaves], wanted, atol=0.01)


@pytest.mark.parametrize(("rule", "short"), [("text long", "text"), ("service long", "service")])
def test_long_rows_are_as_long_as_their_neighbours(bundle: Bundle, new: Newcomers, rule: Rule, short: Rule) -> None:
    grown, plain = new.join(bundle, rule), new.join(bundle, short)
    known = np.linalg.norm(bundle.tables.node_rows, axis=1)
    for leaf, path in zip(grown.trie.row_leaf[BUNDLE_ITEMS + 1 :], new.codes, strict=True):
        row, text = grown.tables.node_rows[leaf], plain.tables.node_rows[leaf]
        assert np.allclose(row / np.linalg.norm(row), text / np.linalg.norm(text), atol=1e-3)
        siblings = np.flatnonzero((bundle.catalogue.sids[:, :2] == path[:2]).all(1)) + 1
        if len(siblings):
            assert np.isclose(np.linalg.norm(row), known[bundle.trie.row_leaf[siblings]].mean(), rtol=0.01)


def test_both_is_the_services_rule_where_words_say_nothing(bundle: Bundle, new: Newcomers) -> None:
    silent = Newcomers(new.ids, new.codes, np.zeros_like(new.words))
    rows, wanted = (silent.join(bundle, rule).tables.node_rows for rule in ("both", "service"))
    assert np.allclose(rows, wanted, atol=0.01)
    assert not np.allclose(new.join(bundle, "both").tables.node_rows, wanted, atol=0.01)


def test_both_swaps_the_neighbours_words_for_the_items_own(bundle: Bundle, new: Newcomers) -> None:
    # Every item has the same words: what neighbours have beside theirs, and the own ones, come to the service's rule.
    alike = Newcomers(new.ids, new.codes, np.tile(new.words[1], (len(new.words), 1)))
    both, service = (alike.join(bundle, rule).tables.node_rows for rule in ("both", "service"))
    assert np.allclose(both, service, atol=0.02)


def test_words_of_a_prefix_are_the_mean_below_it(bundle: Bundle) -> None:
    words = np.random.default_rng(1).normal(size=(BUNDLE_ITEMS + 1, 5)).astype(np.float32)
    found = mean_words(bundle.trie, words)
    sids = bundle.catalogue.sids
    for path in (sids[3, :1], sids[7, :2], sids[9]):
        below = np.flatnonzero((sids[:, : len(path)] == path).all(1)) + 1
        assert np.allclose(found[bundle.trie.find(path.tolist())], words[below].mean(0), atol=1e-5)


def test_alone_nothing_else_is_found(bundles: Bundles, new: Newcomers) -> None:
    engine = open_with(bundles.inner, new, "both", alone=True)
    assert sorted(engine.trie.leaf_row) == list(range(BUNDLE_ITEMS + 1, BUNDLE_ITEMS + 5))
    wide = open_with(bundles.inner, new, "both")
    assert wide.trie.items == BUNDLE_ITEMS + 4
    assert only(wide.bundle, [1, 2]).trie.items == 2


def test_the_whole_study_runs_and_resumes(tmp_path: Path) -> None:
    items = 100
    dataset = made_dataset(made_sequences(200, items, longest=12), items, made_text(items, 12))
    recipe = named("smoke").with_training(precision="float32")
    lines: list[str] = []
    found = study.run(dataset, tmp_path, lines.append, recipe)
    methods = [f"{way}, {rule}" for rule in study.RULES for way in ("guided 50/200", "exact")]
    names = ["beam50", *methods, "popularity", study.BASE, "random", "nearest text"]
    assert [result.method for result in found.test.results] == names
    assert [result.method for result in found.test_cold.results] == names
    # Five cold items alone: the exact scan lists all of them, and counts put none before another of the catalogue.
    assert all(found.test_cold.of(f"exact, {rule}").recall(10) == 1 for rule in study.RULES)
    assert found.test.of("popularity").recall(10) == 0
    assert [r.method for r in found.others.results] == [f"exact, {rule}" for rule in (study.NONE, *study.RULES)]
    text = study.page(found)
    assert all(name in text for name in names)
    again = study.run(dataset, tmp_path, lines.append, recipe)
    assert study.page(again) == text
