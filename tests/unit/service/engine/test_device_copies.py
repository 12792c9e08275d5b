"""What the engine copies to its device: once what does not change, and to the host's side only what is read there."""

import gc
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from tiny import Bundles

from models import contract
from service.engine import graphs, sessions
from service.engine.bundle import Bundle, load
from service.engine.graphs import OnnxEngine
from service.engine.protocol import Context
from service.engine.sessions import DeviceError
from service.search.guided import search
from service.search.legality import banned
from service.search.plan import Plan

Placed = list[tuple[str, tuple[int, ...], str]]  # dtype, shape, device


def context_of(engine: OnnxEngine, rows: list[list[int]]) -> Context:
    items = np.array(rows, np.int32)
    lengths = np.full(len(rows), items.shape[1], np.int32)
    memory = engine.encode(engine.bundle.catalogue.sids[items - 1], items, lengths)
    return engine.context(memory, lengths, [banned(engine.trie, each) for each in items])


def counted(engine: OnnxEngine, monkeypatch: pytest.MonkeyPatch) -> Placed:
    """What is put where from now on."""
    placed: Placed = []

    def put(array: Any, device: Any) -> Any:
        placed.append((str(array.dtype), array.shape, device))
        return sessions.put(array, "cpu")

    monkeypatch.setattr(engine, "device", "cuda")
    monkeypatch.setattr(engine, "_put", partial(put, device="cuda"))
    monkeypatch.setattr(graphs, "put", put)
    engine._hold(engine.bundle)
    placed.clear()  # what is held for good
    return placed


@pytest.mark.parametrize("form", ["inner", "cross"])
def test_only_counts_stay_on_the_host(bundles: Bundles, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = OnnxEngine(load(getattr(bundles, form)), "cpu", 1)
    given = context_of(engine, [[3, 4, 5], [6, 7, 8]])
    placed = counted(engine, monkeypatch)
    search(engine, given, Plan.uniform(engine.depth, 4, 8), 3)
    assert {shape for _, shape, device in placed if device == "cpu"} == {(1,)}
    assert all(dtype == "int64" for dtype, _, device in placed if device == "cpu")
    levels = [each for each in placed if each[:2] == ("int64", ())]
    assert len(levels) == (engine.depth - 1 if form == "cross" else 0)


def test_a_second_request_of_a_length_copies_only_what_is_its_own(
    bundles: Bundles, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, plan = OnnxEngine(load(bundles.inner), "cpu", 1), Plan.uniform(3, 4, 8)
    first, second = (context_of(engine, [rows]) for rows in ([3, 4, 5], [9, 8, 7]))
    placed = counted(engine, monkeypatch)
    search(engine, first, plan, 3)
    begun = len(placed)
    search(engine, second, plan, 3)
    shapes = [shape for _, shape, _ in placed[begun:]]
    width, nodes = first.memory.shape[2], engine.trie.nodes
    assert shapes == [(1, 3, width), (nodes,), (1, 4), (1, 4)], "memory, what is banned, the beam after level 1"


def test_an_engine_that_is_let_go_is_gone_without_the_collector(bundles: Bundles) -> None:
    engine = OnnxEngine(load(bundles.inner), "cpu", 1)
    search(engine, context_of(engine, [[3, 4, 5]]), Plan.uniform(3, 4, 8), 3)
    gone = weakref.ref(engine)
    gc.disable()  # rings would wait for it, and what start-up froze for ever
    try:
        del engine
        assert gone() is None
    finally:
        gc.enable()


def test_shared_tensors_leave_no_trace(bundles: Bundles) -> None:
    plan, rows = Plan.uniform(3, 6, 18), [[3, 4, 5], [9, 8, 7], [2, 11, 40]]
    shared = OnnxEngine(load(bundles.inner), "cpu", 1)
    for each in (*rows, *rows):
        fresh = OnnxEngine(load(bundles.inner), "cpu", 1)
        one, other = (search(engine, context_of(engine, [each]), plan, 5) for engine in (shared, fresh))
        assert np.array_equal(one.node, other.node)
        assert np.array_equal(one.score, other.score)
        scanned = [engine.scan(context_of(engine, [each]), 5) for engine in (shared, fresh)]
        assert all(found is not None for found in scanned)
        assert str(scanned[0]) == str(scanned[1])


def broken(reason: str) -> Callable[..., Any]:
    """Sessions that open on `cuda` and fail in their first run, as where cuDNN is missing."""
    whole = sessions._session

    class Session:
        def run(self, *_: Any) -> None:
            raise RuntimeError(reason)

    def session(bundle: Bundle, signature: Any, device: str, threads: int) -> Any:
        return Session() if device == "cuda" else whole(bundle, signature, "cpu", threads)

    return session


def test_sessions_that_open_and_cannot_run_are_told_at_once(
    bundles: Bundles, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sessions, "choose_device", lambda wanted: "cpu" if wanted == "cpu" else "cuda")
    monkeypatch.setattr(sessions, "_session", broken("NOT_IMPLEMENTED : cuDNN is unavailable\nand more"))
    with pytest.raises(DeviceError, match=r"opens but cannot run \(.*cuDNN is unavailable\); .*\[gpu\]"):
        OnnxEngine(load(bundles.inner), "cuda", 1)
    assert OnnxEngine(load(bundles.inner), "auto", 1).device == "cpu"
    assert "serving on the CPU" in caplog.text


def test_the_trial_run_suits_the_encoder(bundles: Bundles) -> None:
    bundle = load(bundles.inner)
    sessions.try_out(sessions._session(bundle, contract.ENCODER, "cpu", 1), bundle.manifest)
