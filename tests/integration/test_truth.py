"""Truth tests: the exported graphs, driven by the service's search, against PyTorch and against oracles by hand."""

import numpy as np
import pytest
import torch
from both_sides import CODES, World, agree, histories_of, near, same
from tiny import BUNDLE_ITEMS, DEPTH, HISTORY, Bundles, padded

from models import reference
from service.cache import codec
from service.engine.bundle import load
from service.engine.graphs import OnnxEngine
from service.engine.masks import masks
from service.explain import codes_of
from service.search.guided import Deadline, search
from service.search.plan import Level, Plan, Rule
from service.search.trie import banned

EVERYTHING = 10**6
ALL = Plan.uniform(DEPTH, EVERYTHING, EVERYTHING)
GUIDED = Plan.uniform(DEPTH, 10, 40)
PLAIN = Plan.uniform(DEPTH, 10, 10, use_prm=False)
PLANS = [GUIDED, PLAIN, ALL, Plan.uniform(DEPTH, 20, 60, rule=Rule(leaf=0.3, prefix=1.0))]


@pytest.fixture(scope="module")
def worlds(bundles: Bundles) -> dict[str, World]:
    paths = {"inner": bundles.inner, "cross": bundles.cross}
    return {form: World(bundles.network, OnnxEngine(load(path), "cpu", 1), form) for form, path in paths.items()}


@pytest.fixture(params=["inner", "cross"])
def world(request: pytest.FixtureRequest, worlds: dict[str, World]) -> World:
    return worlds[request.param]


@pytest.mark.parametrize("length", range(1, HISTORY + 1))
def test_onnx_is_pytorch_for_every_history_length(world: World, length: int) -> None:
    history = histories_of(HISTORY, seed=length)[length - 1]
    items, lengths = padded([history, history[: (length + 1) // 2]])
    tables = torch.from_numpy(world.engine.bundle.tables.item_rows)
    codes = world.network.catalogue.sids[items]
    wanted = reference.encode(world.network, codes, items, tables).detach().numpy()
    wanted[np.arange(length) >= lengths.numpy()[:, None]] = 0  # padding, as the engine leaves it
    found = world.engine.encode(codes.int().numpy(), items.int().numpy(), lengths.int().numpy())
    assert found.dtype == wanted.dtype == np.float16
    # Both sides round to fp16 once; on the border between two values they may part by one step.
    step = np.maximum(np.spacing(np.abs(found)), np.spacing(np.abs(wanted))).astype(np.float32)
    assert (np.abs(found.astype(np.float32) - wanted) <= step + 1e-4).all()
    memory = world.memory(history)
    beams = world.engine.root(1)
    context = world.context([history])
    above = {0: 0.0}
    for level in range(DEPTH):
        beams = world.engine.expand(context, beams, level, EVERYTHING)
        real = np.isfinite(beams.log_prob.numpy()[0])
        nodes, log_prob = beams.node.numpy()[0][real], beams.log_prob.numpy()[0][real]
        levels = [world.child_log_probs(memory, node, level) for node in above]
        below = {
            child: log + base for base, each in zip(above.values(), levels, strict=True) for child, log in each.items()
        }
        assert near(log_prob, np.array([below[node] for node in nodes.tolist()], np.float32))
        rewards = world.engine.prune(context, beams, level, beams.width, 0.0).all_rewards.numpy()[0][real]
        assert near(rewards, world.rewards(memory, nodes.tolist(), level).numpy())
        above = {node: below[node] for node in nodes.tolist()}
    scanned = world.engine.scan(context, BUNDLE_ITEMS)
    assert (scanned is None) == (world.form == "cross")
    if scanned is not None:
        listed = np.isfinite(scanned[1][0])
        wanted_rewards = world.rewards(memory, scanned[0][0, listed].tolist(), DEPTH - 1).numpy()
        assert near(scanned[1][0, listed], wanted_rewards)


def test_serving_computes_what_training_trained(world: World) -> None:
    """End to end, the tables' fp16 rounding included: looser, but through code that shares nothing but the weights."""
    for history in histories_of(6, seed=1):
        items, lengths = padded([history])
        scores = world.network.leaf_scores(items, lengths, form=world.form)[0]
        found = world.search([history], ALL, BUNDLE_ITEMS)
        assert found.reward is not None
        rows = world.rows(found)
        assert sorted(rows) == sorted(set(range(1, BUNDLE_ITEMS + 1)) - set(history))
        assert near(found.reward[0, : len(rows)], scores[rows].numpy(), 0.03)
        memory = world.network.encode(items, world.network.features.rows(world.network.catalogue))
        for place in (0, len(rows) // 2, len(rows) - 1):
            targets = torch.zeros_like(items)
            targets[0, -1] = rows[place]
            path = -world.network.generator_loss(memory, targets, targets > 0)
            assert found.log_prob[0, place] == pytest.approx(path.item(), abs=0.03)


def test_everything_kept_is_the_exact_scan(worlds: dict[str, World]) -> None:
    world = worlds["inner"]
    for history in histories_of(12, seed=2):
        found = world.search([history], ALL, BUNDLE_ITEMS, excluded=[5, 6])
        scanned = world.engine.scan(world.context([history], excluded=[5, 6]), BUNDLE_ITEMS)
        assert scanned is not None
        assert found.reward is not None
        wanted = world.listed(scanned[0][0], scanned[1][0])
        assert agree(world.rows(found), wanted, scanned[1][0])
        assert len(world.rows(found)) == len(wanted) == BUNDLE_ITEMS - len({*history, 5, 6})
        assert near(found.reward[0, : len(wanted)], scanned[1][0, : len(wanted)])


def test_everything_kept_is_pytorchs_ranking_of_all_leaves(world: World) -> None:
    trie = world.engine.trie
    for history in histories_of(6, seed=3):
        rewards = world.rewards(world.memory(history), range(trie.first_leaf, trie.nodes), DEPTH - 1)
        order = rewards.argsort(descending=True).numpy()
        unseen = order[~np.isin(trie.leaf_row[order], history)]
        found = world.rows(world.search([history], ALL, BUNDLE_ITEMS))
        assert agree(found, trie.leaf_row[unseen].tolist(), rewards.numpy()[unseen])


@pytest.mark.parametrize("pool", [0, 1, 3, EVERYTHING])
def test_one_beam_is_greedy(world: World, pool: int) -> None:
    """pool = 0: without the PRM, the likeliest child; else the child of highest reward among the `pool` likeliest."""
    trie = world.engine.trie
    plan = Plan.uniform(DEPTH, 1, max(pool, 1), use_prm=pool > 0)
    for history in histories_of(16, seed=4):
        memory, node = world.memory(history), 0
        illegal = masks(trie, [banned(trie, history)]).banned
        for level in range(DEPTH):
            children = world.child_log_probs(memory, node, level)
            likely = sorted((n for n in children if not illegal[n]), key=lambda n: -children[n])[: max(pool, 1)]
            rewards = world.rewards(memory, likely, level)
            node = likely[int(rewards.argmax())] if pool else likely[0]
        assert world.rows(world.search([history], plan, 1)) == [int(trie.rows(np.array(node, np.int32)))]


@pytest.mark.parametrize("plan", PLANS)
def test_a_cached_encoding_gives_the_list_of_a_fresh_one(world: World, plan: Plan) -> None:
    histories, tag = histories_of(HISTORY, seed=5), world.engine.model_version
    memory, lengths = world.encode(histories)
    packed = [codec.encode(row[:length], tag, b"key") for row, length in zip(memory, lengths, strict=True)]
    cached = np.zeros_like(memory)
    for row, value in zip(cached, packed, strict=True):
        decoded = codec.decode(value, tag, b"key")
        row[: len(decoded)] = decoded
    illegal = [banned(world.engine.trie, rows) for rows in histories]
    again = search(world.engine, world.engine.context(cached, lengths, illegal), plan, 10)
    assert same(again, world.search(histories, plan))


def test_a_thousand_histories_yield_nothing_invalid_repeated_or_seen(world: World) -> None:
    histories = histories_of(1000, longest=HISTORY + 4, seed=6)
    trie = world.engine.trie
    for start in range(0, len(histories), 50):
        batch = histories[start : start + 50]
        for plan in (GUIDED, PLAIN, PLANS[-1]):
            found = world.search(batch, plan)
            assert (found.node >= trie.first_leaf).all()
            assert np.isfinite(found.score).all()
            assert (np.diff(found.score) <= 0).all()
            for row, history in enumerate(batch):
                rows = world.rows(found, row)
                assert len(rows) == len(set(rows)) == 10
                assert not set(rows) & set(history)
                assert np.array_equal(CODES[rows], codes_of(trie, found.node[row], DEPTH))


@pytest.mark.parametrize("plan", PLANS)
def test_the_same_request_gets_the_same_answer(world: World, plan: Plan) -> None:
    histories = histories_of(5, seed=7)
    assert same(world.search(histories, plan), world.search(histories, plan))


@pytest.mark.parametrize("plan", PLANS)
def test_a_batch_of_different_lengths_is_its_members_alone(world: World, plan: Plan) -> None:
    histories = histories_of(HISTORY + 2, longest=HISTORY + 2, seed=8)
    together = world.search(histories, plan)
    for row, history in enumerate(histories):
        alone = world.search([history], plan)
        assert agree(world.rows(together, row), world.rows(alone), alone.score[0])
        assert near(together.score[row], alone.score[0])


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("left", [0, 1, 4, 9])
def test_fewer_legal_items_give_fewer_and_none_gives_none(world: World, plan: Plan, left: int) -> None:
    allowed = set(np.random.default_rng(left).permutation(np.arange(3, BUNDLE_ITEMS))[:left].tolist())
    excluded = sorted(set(range(1, BUNDLE_ITEMS + 1)) - allowed)
    found = world.search([[1, 2], [1]], plan, excluded=excluded)
    for row in range(2):
        rows = world.rows(found, row)
        assert len(rows) == len(set(rows)) == left
        assert set(rows) == allowed
    scanned = world.engine.scan(world.context([[1, 2]], excluded), 10)
    if scanned is not None:
        assert set(world.listed(scanned[0][0], scanned[1][0])) == allowed


@pytest.mark.parametrize("plan", [GUIDED, Plan((Level(40, 160), Level(30, 90), Level(20, 80)))])
def test_past_the_deadline_the_answer_is_degraded_and_valid(world: World, plan: Plan) -> None:
    histories = histories_of(8, seed=9)
    found = search(world.engine, world.context(histories), plan, 10, Deadline(0.0, lambda: 1.0))
    assert found.degraded
    assert [step.pruned is None for step in found.steps] == [False, True, True]
    for row, history in enumerate(histories):
        rows = world.rows(found, row)
        assert len(rows) == len(set(rows)) == 10
        assert not set(rows) & set(history)
