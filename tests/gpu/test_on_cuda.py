"""What only a CUDA device can show. Everywhere else these are skipped."""

from dataclasses import replace

import numpy as np
import pytest
from tiny import BUNDLE_ITEMS, DEPTH, Bundles

from loadtest.bench.gpu import Work, run_gpu
from loadtest.bench.gpu_cases import agreement
from loadtest.bench.gpu_device import on_the_cpu
from loadtest.bench.gpu_search import Searches, Tier, made_histories
from service.engine.bundle import load
from service.engine.graphs import OnnxEngine
from service.engine.sessions import DeviceError, choose_device
from service.search.guided import search
from service.search.legality import banned
from service.search.plan import Plan
from service.search.staged import first_level

TIER = Tier("k50", 20, 60)


def cuda_is_here() -> bool:
    try:
        return choose_device("cuda") == "cuda"
    except DeviceError:
        return False


pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not cuda_is_here(), reason="no CUDA device")]
forms = pytest.mark.parametrize("form", ["inner", "cross"])


def both(bundles: Bundles, form: str, count: int = 40) -> tuple[Searches, Searches]:
    """The same histories on the CPU and on the GPU."""
    path = getattr(bundles, form)
    bundle = load(path)
    histories = made_histories(path, bundle, count, 0, None)
    here, there = (Searches(OnnxEngine(bundle, device), histories) for device in ("cpu", "cuda"))
    assert there.engine.providers[0] == "CUDAExecutionProvider"
    return here, there


@forms
def test_no_graph_leaves_a_node_to_the_cpu(bundles: Bundles, form: str) -> None:
    assert on_the_cpu(load(getattr(bundles, form))) == []


@forms
@pytest.mark.parametrize("batch", [1, 7])
def test_the_lists_are_those_of_the_cpu(bundles: Bundles, form: str, batch: int) -> None:
    found = agreement(*both(bundles, form), TIER, batch)
    assert (found["different"], found["within_tolerance"]) == (0, True)


@forms
def test_taking_rows_of_an_opened_batch_loses_nothing(bundles: Bundles, form: str) -> None:
    here, there = both(bundles, form, 4)
    nodes = []
    for searches in (here, there):
        engine, lengths = searches.engine, np.array([3, 3, 3, 3], np.int32)
        rows = np.stack([np.arange(3, dtype=np.int32) + 1 + 3 * n for n in range(4)])
        memory = engine.encode(engine.bundle.catalogue.sids[rows - 1], rows, lengths)
        context = engine.context(memory, lengths, [banned(engine.trie, each) for each in rows])
        first_level(engine, context, 6, True, lambda: 0.0)
        part = engine.take(context, [2, 0])
        beams = engine.root(2)
        for level in range(DEPTH):
            beams = engine.prune(part, engine.expand(part, beams, level, 30), level, 10, 0.0).kept
        nodes.append(beams.node.numpy())
    assert np.array_equal(nodes[0], nodes[1])


@forms
@pytest.mark.parametrize("left", [1, 7, 60])
def test_fewer_legal_items_than_places_give_filler_as_on_the_cpu(bundles: Bundles, form: str, left: int) -> None:
    plan, found = Plan.uniform(DEPTH, 60, 400), []
    for searches in both(bundles, form, 2):
        engine, rows = searches.engine, np.arange(1, BUNDLE_ITEMS + 1, dtype=np.int32)
        codes = engine.bundle.catalogue.sids[rows[:3] - 1][None]
        lengths = np.array([3], np.int32)
        memory = engine.encode(codes, rows[None, :3], lengths)
        answer = search(engine, engine.context(memory, lengths, [banned(engine.trie, rows[left:])]), plan, 60)
        legal = np.isfinite(answer.log_prob[0])
        assert legal.sum() == left
        found.append(engine.trie.rows(answer.node[0][legal]).tolist())
    assert found[0] == found[1]


def test_the_program_measures_the_device(bundles: Bundles) -> None:
    work = replace(Work(), rounds=1, calls=5, busy_s=1.5, compared=8, batches=(1, 4), tiers=(TIER,))
    result = run_gpu(bundles.inner, work, bundles.cross)
    assert result["kind"] == "cuda"
    for model in result["models"].values():
        assert model["graphs_not_on_cuda"] == []
        assert model["agreement"]["k50"]["different"] == 0


def test_a_plain_beam_finds_the_same(bundles: Bundles) -> None:
    here, there = both(bundles, "inner")
    plan = Plan.uniform(DEPTH, 20, 20, use_prm=False)
    for one, other in zip(here.answers(plan, 1), there.answers(plan, 8), strict=True):
        assert [item["item_id"] for item in one["items"]] == [item["item_id"] for item in other["items"]]
