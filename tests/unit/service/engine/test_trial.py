"""Bundles whose hashes are right and whose graphs are wrong do not serve, and the sentence says which file it is."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from loadtest.bench.outages.bundles import variant
from service.engine.bundle import BundleError, load
from service.engine.graphs import OnnxEngine
from service.engine.trial import try_out

if TYPE_CHECKING:
    from tiny import Bundles

LONG_S = 60.0  # nothing here takes so long, however busy the machine


def tried(folder: Path, within_s: float = LONG_S, patience_s: float = LONG_S) -> None:
    bundle = load(folder)
    try_out(OnnxEngine(bundle, "cpu", 1), bundle, within_s, patience_s)


@pytest.mark.parametrize("form", ["inner", "cross"])
def test_a_right_bundle_passes_and_its_engine_can_be_used_on(bundles: "Bundles", form: str) -> None:
    bundle = load(getattr(bundles, form))
    engine = OnnxEngine(bundle, "cpu", 1)
    try_out(engine, bundle, LONG_S, LONG_S)
    assert not engine.stopped
    try_out(engine, bundle, LONG_S, LONG_S)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("not finite", r"encoder\.onnx: gives numbers that are not finite\."),
        ("rewards not finite", r"prm\.onnx: gives rewards that are not finite\."),
        ("wrong shape", r"encoder\.onnx: gives \[2, 16, 16\] where \[2, 8, 16\] is wanted\."),
        ("other opset", r"encoder\.onnx: not a graph this runtime can open"),
        ("fails", r"encoder\.onnx: cannot be run \(.*out of data bounds.*\)\."),
    ],
)
def test_a_wrong_graph_is_named(bundles: "Bundles", tmp_path: Path, kind: str, said: str) -> None:
    with pytest.raises(BundleError, match=said) as refused:
        tried(variant(kind, bundles.inner, tmp_path))
    assert "\n" not in refused.value.detail


def test_a_graph_that_never_ends_is_stopped(bundles: "Bundles", tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(BundleError, match=r"encoder\.onnx: did not end within 0\.5 s\."):
        tried(variant("endless", bundles.inner, tmp_path), patience_s=0.5)
    assert time.monotonic() - began < LONG_S


def test_a_bundle_that_no_request_has_time_for_is_refused(bundles: "Bundles") -> None:
    with pytest.raises(BundleError, match="longer than PROMISE_REQUEST_TIMEOUT_MS allows"):
        tried(bundles.inner, within_s=0.0)


def test_one_poisoned_item_does_not_show_in_a_trial(bundles: "Bundles", tmp_path: Path) -> None:
    """What only some histories bring out is for the batcher to bear."""
    tried(variant("poisoned", bundles.inner, tmp_path))
