"""Votes through the engine are PyTorch's, at every level, alone and in a batch, also over a revised bundle."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from both_sides import World, histories_of
from made_voted import RECIPE, made_votes, voted_bundle
from tiny import BUNDLE_ITEMS, DEPTH, Bundles

from models import contract
from models.manifest import sha256
from service.engine.bundle import BundleError, load
from service.engine.graphs import OnnxEngine
from service.engine.protocol import F32, Beams, Context
from service.engine.revision import Change, NewItem, revise
from service.search import choosing

VOTES = made_votes()


@pytest.fixture(scope="module")
def folder(bundles: Bundles, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return voted_bundle(bundles.inner, tmp_path_factory.mktemp("voted") / "bundle", VOTES)


@pytest.fixture(scope="module")
def world(bundles: Bundles, folder: Path) -> World:
    return World(bundles.network, OnnxEngine(load(folder), "cpu", 1), "inner")


def children_of(engine: OnnxEngine, context: Context, level: int, wide: int = 30) -> Beams:
    beams = engine.root(context.batch)
    for above in range(level + 1):
        children = engine.expand(context, beams, above, wide)
        beams = engine.prune(context, children, above, wide, 0.0).kept
    return children


@torch.no_grad()
def wanted(world: World, history: list[int], nodes: list[int], level: int) -> F32:
    """PyTorch's [C,M+1] of these nodes."""
    memory = world.memory(history)
    assert world.network.inner is not None
    context = world.network.inner.newest(memory, torch.tensor([memory.shape[1]]), level)
    rows = torch.from_numpy(world.engine.bundle.tables.node_rows)[nodes]
    found: F32 = (rows @ VOTES.model(context, level)[0].T).numpy()
    return found


@pytest.mark.parametrize("level", range(DEPTH))
@pytest.mark.parametrize("batch", [1, 4])
def test_votes_are_pytorchs(world: World, level: int, batch: int) -> None:
    histories = histories_of(batch)
    context = world.context(histories)
    children = children_of(world.engine, context, level)
    said = world.engine.vote(context, children, level)
    node, real = children.node.numpy(), np.isfinite(children.log_prob.numpy())
    assert said.votes.shape == (*node.shape, RECIPE.heads)
    assert said.interest.shape == node.shape
    assert said.votes.dtype == said.interest.dtype == np.float32
    for row, history in enumerate(histories):
        some = real[row]
        right = wanted(world, history, node[row, some].tolist(), level)
        np.testing.assert_allclose(said.votes[row, some], right[:, :-1], atol=1e-3, rtol=1e-3)
        np.testing.assert_allclose(said.interest[row, some], right[:, -1], atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("level", range(1, DEPTH))
def test_children_may_be_on_the_host_and_a_part_of_a_batch_is_heard_alone(world: World, level: int) -> None:
    context = world.context(histories_of(4))
    children = children_of(world.engine, context, level)
    whole = world.engine.vote(context, children, level)
    node, log_prob = children.node.numpy()[1:3], children.log_prob.numpy()[1:3]
    part = world.engine.vote(world.engine.take(context, [1, 2]), choosing.beams(node, log_prob), level)
    np.testing.assert_allclose(part.votes, whole.votes[1:3], atol=1e-4, rtol=1e-4)
    np.testing.assert_allclose(part.interest, whole.interest[1:3], atol=1e-4, rtol=1e-4)


def test_levels_can_be_asked_for_in_any_order_and_pruning_between_them_changes_nothing(world: World) -> None:
    one, two = (world.context(histories_of(2, seed=seed)) for seed in (0, 1))
    asked = [(context, children_of(world.engine, context, level), level) for context in (one, two) for level in (2, 1)]
    first = [world.engine.vote(*each).votes for each in asked]
    again = [world.engine.vote(*each).votes for each in reversed(asked)]
    assert all(np.array_equal(mine, other) for mine, other in zip(first, reversed(again), strict=True))


def test_new_items_of_a_revision_are_voted_on(world: World) -> None:
    change = Change((NewItem("new0", like="i003"), NewItem("new1", like="i040")), ("i007",))
    revised = world.engine.over(revise(world.engine.bundle, change))
    assert revised.voters == RECIPE.heads
    grown = World(world.network, revised, "inner")
    context = grown.context([[1, 2, 3]])
    leaves = revised.trie.row_leaf[[BUNDLE_ITEMS + 1, BUNDLE_ITEMS + 2, 5]]
    said = revised.vote(context, revised.beams(leaves[None], np.zeros((1, 3), np.float32)), DEPTH - 1)
    right = wanted(grown, [1, 2, 3], leaves.tolist(), DEPTH - 1)
    np.testing.assert_allclose(said.votes[0], right[:, :-1], atol=1e-3, rtol=1e-3)


def test_without_votes_none_are_given(bundles: Bundles) -> None:
    for path, form in ((bundles.inner, "inner"), (bundles.cross, "cross")):
        world = World(bundles.network, OnnxEngine(load(path), "cpu", 1), form)
        assert world.engine.voters == 0
        context = world.context(histories_of(1))
        with pytest.raises(ValueError, match="has no votes"):
            world.engine.vote(context, world.engine.root(1), 0)


def refusal(folder: Path, tmp_path: Path, edit: Callable[[dict[str, Any]], object], bundle: Path | None = None) -> str:
    """What is said of a bundle whose manifest was edited."""
    made = tmp_path / "edited"
    shutil.copytree(bundle or folder, made)
    facts = json.loads((made / contract.MANIFEST).read_text())
    edit(facts)
    (made / contract.MANIFEST).write_text(json.dumps(facts))
    with pytest.raises(BundleError) as caught:
        OnnxEngine(load(made), "cpu", 1)
    return str(caught.value)


@pytest.mark.parametrize(
    "votes",
    [
        {"heads": 0, "temperature": [1, 1, 1]},
        {"heads": 3, "temperature": [1, 1]},
        {"heads": 3, "temperature": [1, 0, 1]},
        {"heads": 3, "temperature": [1, -2, 1]},
        {"heads": 3},
        7,
    ],
)
def test_votes_that_cannot_be_are_refused(folder: Path, tmp_path: Path, votes: object) -> None:
    assert contract.MANIFEST in refusal(folder, tmp_path, lambda facts: facts.update(votes=votes))


def test_the_cross_form_has_none(bundles: Bundles, folder: Path, tmp_path: Path) -> None:
    votes = {"heads": 3, "temperature": [1.0] * DEPTH}
    assert "inner form" in refusal(folder, tmp_path, lambda facts: facts.update(votes=votes), bundles.cross)


def test_a_missing_graph_and_one_of_another_signature_are_named(folder: Path, tmp_path: Path) -> None:
    file = contract.VOTES.file
    assert file in refusal(folder, tmp_path / "a", lambda facts: facts["files"].pop(file))
    other = sha256(folder / contract.PRM.file)

    def swap(facts: dict[str, Any]) -> None:
        (tmp_path / "b" / "edited" / file).write_bytes((folder / contract.PRM.file).read_bytes())
        facts["files"][file] = other

    assert f"{file}: its inputs and outputs" in refusal(folder, tmp_path / "b", swap)


def test_a_manifest_that_tells_of_none_is_served_without(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "plain")
    file = tmp_path / "plain" / contract.MANIFEST
    facts = json.loads(file.read_text())
    facts.pop("votes")
    file.write_text(json.dumps(facts))
    assert OnnxEngine(load(tmp_path / "plain"), "cpu", 1).voters == 0
