"""What is worked out for a batch once: taking some of its requests changes nothing, and nothing is written over."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from both_sides import agree, histories_of, near, same
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tiny import BUNDLE_ITEMS, DEPTH, HISTORY, Bundles, padded

from service.engine.bundle import load
from service.engine.graphs import OnnxEngine
from service.engine.opened import HIDDEN, last_of, mask_of
from service.engine.protocol import F32, Context, Pruned, Tensor
from service.search.guided import Found, search
from service.search.plan import Plan, Rule
from service.search.trie import banned

BATCH = 5
PLANS = [
    Plan.uniform(DEPTH, 10, 40),
    Plan.uniform(DEPTH, 6, 6, use_prm=False),
    Plan.uniform(DEPTH, 20, 60, rule=Rule(leaf=0.3, prefix=1.0)),
]


@pytest.fixture(scope="module", params=["inner", "cross"])
def engine(bundles: Bundles, request: pytest.FixtureRequest) -> OnnxEngine:
    return OnnxEngine(load(getattr(bundles, request.param)), "cpu", 1)


def batch(engine: OnnxEngine, seed: int = 0, padding: bool = True) -> Context:
    """Histories, of different lengths where there is padding; the first may have four items, the second is filtered."""
    histories = histories_of(BATCH if padding else BATCH * HISTORY, seed=seed)
    histories = histories if padding else histories[HISTORY - 1 :: HISTORY]
    items = padded(histories)[0].numpy().astype(np.int32)
    codes = np.where(items[..., None] > 0, engine.bundle.catalogue.sids[items - 1], 0).astype(np.int32)
    lengths = np.array([len(rows) for rows in histories], np.int32)
    illegal = [banned(engine.trie, rows) for rows in histories]
    illegal[0] = banned(engine.trie, range(5, BUNDLE_ITEMS + 1))
    illegal[1] = banned(engine.trie, histories[1], np.arange(BUNDLE_ITEMS + 1) % 2 == 0)
    return engine.context(engine.encode(codes, items, lengths), lengths, illegal)


def alone(engine: OnnxEngine, context: Context, rows: Sequence[int]) -> Context:
    """A new context of these requests, with nothing worked out."""
    at = list(rows)
    lengths = context.lengths[at]
    return engine.context(context.memory[at, : lengths.max()], lengths, [context.banned[row] for row in at])


@settings(max_examples=30, deadline=None)
@given(
    rows=st.lists(st.integers(0, BATCH - 1), min_size=1, max_size=BATCH, unique=True),
    again=st.booleans(),
    padding=st.booleans(),
    plan=st.sampled_from(PLANS),
)
def test_some_of_an_opened_batch_find_what_they_find_alone(
    engine: OnnxEngine, rows: list[int], again: bool, padding: bool, plan: Plan
) -> None:
    """To the bit; with padding, sums over a history are grouped otherwise and the last bit may differ."""
    whole = batch(engine, padding=padding)
    everyone = search(engine, whole, plan, 10)
    assert whole.opened is not None
    part = engine.take(whole, rows)
    fresh = alone(engine, whole, rows)
    if again and len(rows) > 1:  # some of some
        part, fresh = engine.take(part, [1]), alone(engine, fresh, [1])
    assert part.opened is not None
    assert fresh.opened is None
    found, wanted = search(engine, part, plan, 10), search(engine, fresh, plan, 10)
    assert equal(engine, found, wanted) if padding else same(found, wanted)
    assert same(search(engine, whole, plan, 10), everyone)


def equal(engine: OnnxEngine, found: Found, wanted: Found) -> bool:
    """The same lists, to within rounding."""
    pairs = zip(*map(answers, (engine, engine), (found, wanted)), strict=True)
    return all(
        len(mine) == len(others) and near(score, other, 1e-5) and agree(mine, others, other)
        for (mine, score), (others, other) in pairs
    )


def answers(engine: OnnxEngine, found: Found) -> list[tuple[list[int], F32]]:
    """Rows and scores of every request, without filler."""
    real = np.isfinite(found.score)
    lists = zip(found.node, found.score, real, strict=True)
    return [(engine.trie.rows(node[kept]).tolist(), score[kept]) for node, score, kept in lists]


def test_taking_before_opening_is_a_smaller_batch(engine: OnnxEngine) -> None:
    whole = batch(engine)
    part = engine.take(whole, [3, 1])
    assert part.opened is None
    assert same(search(engine, part, PLANS[0], 10), search(engine, alone(engine, whole, [3, 1]), PLANS[0], 10))
    assert whole.opened is None


@pytest.mark.parametrize("row", range(BATCH))
def test_one_short_history_taken_out_of_a_padded_batch_is_not_padded(engine: OnnxEngine, row: int) -> None:
    whole = batch(engine)
    single = search(engine, alone(engine, whole, [row]), PLANS[0], 10)
    assert same(search(engine, engine.take(whole, [row]), PLANS[0], 10), single)
    scanned, wanted = (engine.scan(make(engine, whole, [row]), 10) for make in (OnnxEngine.take, alone))
    assert (scanned is None) == (wanted is None)
    for mine, others in zip(scanned or (), wanted or (), strict=True):
        assert np.array_equal(mine, others)


def test_all_of_a_batch_is_the_batch_itself(engine: OnnxEngine) -> None:
    whole = batch(engine)
    assert engine.take(whole, range(BATCH)) is whole
    search(engine, whole, PLANS[0], 10)
    assert engine.take(whole, range(BATCH)) is whole
    turned = engine.take(whole, list(reversed(range(BATCH))))
    assert turned is not whole
    found, mirrored = search(engine, whole, PLANS[0], 10), search(engine, turned, PLANS[0], 10)
    assert np.array_equal(found.node[::-1], mirrored.node)
    assert np.array_equal(found.score[::-1], mirrored.score)


def test_a_batch_is_opened_once(engine: OnnxEngine) -> None:
    whole = batch(engine)
    opened = engine.open(whole)
    search(engine, whole, PLANS[0], 10)
    assert engine.open(whole) is opened


def test_no_later_call_writes_over_what_an_earlier_one_returned(engine: OnnxEngine) -> None:
    one, other = batch(engine, seed=1), batch(engine, seed=2)
    copies: list[tuple[NDArray[Any], NDArray[Any]]] = []

    def remember(*tensors: Tensor) -> None:
        copies.extend((array, array.copy()) for array in (tensor.numpy() for tensor in tensors))

    beams = {0: engine.root(BATCH), 1: engine.root(BATCH)}
    for level in range(DEPTH):
        for which, context in enumerate((one, other)):
            children = engine.expand(context, beams[which], level, 12)
            remember(children.node, children.log_prob)
            pruned: Pruned = engine.prune(context, children, level, 6, 0.5)
            remember(pruned.order, pruned.reward, pruned.all_rewards, pruned.kept.node, pruned.kept.log_prob)
            beams[which] = pruned.kept
    copies.extend((context.memory, context.memory.copy()) for context in (one, other))
    for context in (one, other):
        copies.extend((scanned, scanned.copy()) for scanned in engine.scan(context, 10) or ())
    search(engine, batch(engine, seed=3), PLANS[0], 10)
    assert all(np.array_equal(array, copy) for array, copy in copies)
    assert not np.array_equal(one.memory, other.memory), "the two batches differ, else nothing was tested"


def test_two_batches_in_turn_do_not_meet(engine: OnnxEngine) -> None:
    """Inputs stay bound between calls: those of another batch must take their place, at every level."""

    def walk(contexts: Sequence[Context]) -> list[list[int]]:
        beams = [engine.root(BATCH) for _ in contexts]
        for level in range(DEPTH):
            for at, context in enumerate(contexts):
                beams[at] = engine.prune(context, engine.expand(context, beams[at], level, 30), level, 8, 0.2).kept
        return [each.node.numpy().ravel().tolist() for each in beams]

    make: list[Callable[[], Context]] = [lambda: batch(engine, seed=4), lambda: batch(engine, seed=5)]
    assert walk([make[0](), make[1]()]) == [walk([make[0]()])[0], walk([make[1]()])[0]]


def test_masks_and_places_of_the_newest_item() -> None:
    lengths = np.array([1, 3, 2], np.int32)
    mask = mask_of(lengths, 3)
    assert mask.shape == (3, 1, 1, 3)
    assert mask.dtype == np.float32
    assert mask[:, 0, 0].tolist() == [[0, HIDDEN, HIDDEN], [0, 0, 0], [0, 0, HIDDEN]]
    assert mask_of(np.array([4], np.int32), 4).tolist() == [[[[0, 0, 0, 0]]]]
    assert last_of(lengths).tolist() == [[0], [2], [1]]
    assert last_of(lengths).dtype == np.int64
