"""The ONNX engine: what it opens, what it refuses, and that no device is ever swapped for another in silence."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from tiny import BUNDLE_ITEMS, DEPTH, HISTORY, SIZES, Bundles

from models.manifest import sha256
from service.engine import sessions
from service.engine.bundle import BundleError, load
from service.engine.graphs import OnnxEngine
from service.engine.protocol import Context, Engine, Tensor
from service.engine.revision import Change, revise
from service.engine.sessions import DeviceError, choose_device
from service.search.guided import search
from service.search.plan import Plan
from service.search.trie import banned


def cuda_is_here() -> bool:
    try:
        return choose_device("cuda") == "cuda"
    except DeviceError:
        return False


needs_gpu = pytest.mark.skipif(not cuda_is_here(), reason="no CUDA device, or no CUDA provider for it")


@pytest.fixture(scope="module")
def engine(bundles: Bundles) -> OnnxEngine:
    return OnnxEngine(load(bundles.inner), "cpu", 1)


def some_context(engine: OnnxEngine) -> Context:
    items = np.array([[3, 4, 5], [9, 0, 0]], np.int32)
    lengths = np.array([3, 1], np.int32)
    codes = np.where(items[..., None] > 0, engine.bundle.catalogue.sids[items - 1], 0).astype(np.int32)
    illegal = [banned(engine.trie, rows) for rows in items]
    return engine.context(engine.encode(codes, items, lengths), lengths, illegal)


def test_it_is_an_engine_and_says_what_it_is(engine: OnnxEngine, bundles: Bundles) -> None:
    it: Engine = engine
    assert (it.depth, it.model_version, it.providers) == (DEPTH, "tiny@1", ("CPUExecutionProvider",))
    assert (engine.history_limit, engine.has_scan) == (HISTORY, True)
    cross = OnnxEngine(load(bundles.cross), "cpu", 1)
    assert not cross.has_scan
    assert cross.scan(some_context(cross), 5) is None


def test_shapes_and_types_are_those_of_the_contract(engine: OnnxEngine) -> None:
    given = some_context(engine)
    memory = given.memory
    assert memory.shape == (2, 3, SIZES.width)
    assert memory.dtype == np.float16
    assert not memory[1, 1:].any(), "padding is zero, so that a batch leaves no trace"
    beams = engine.root(2)
    for level in range(DEPTH):  # the first on the host, the others on the device
        children = engine.expand(given, beams, level, 4)
        check(children.node, np.int32, (2, 4))
        check(children.log_prob, np.float32, (2, 4))
        assert np.isin(children.node.numpy(), np.arange(*engine.trie.level_start[level + 1 : level + 3])).all()
        pruned = engine.prune(given, children, level, 2, 0.3)
        beams, order = pruned.kept, pruned.order.numpy()
        check(beams.node, np.int32, (2, 2))
        check(beams.log_prob, np.float32, (2, 2))
        check(pruned.reward, np.float32, (2, 2))
        check(pruned.all_rewards, np.float32, (2, 4))
        assert order.shape == (2, 2)
        for kept, whole in ((beams.node, children.node), (pruned.reward, pruned.all_rewards)):
            assert np.array_equal(np.take_along_axis(whole.numpy(), order, 1), kept.numpy())
    nodes, rewards = engine.scan(given, 10**6) or (None, None)
    assert nodes is not None
    assert rewards is not None
    assert nodes.shape == rewards.shape == (2, BUNDLE_ITEMS)
    assert nodes.dtype == np.int32
    assert rewards.dtype == np.float32


def check(tensor: Tensor, dtype: type, shape: tuple[int, ...]) -> None:
    assert tensor.numpy().dtype == dtype
    assert tensor.numpy().shape == shape


def test_more_than_there_is_cannot_be_asked_for(engine: OnnxEngine) -> None:
    given = some_context(engine)
    first = engine.expand(given, engine.root(2), 0, 10**6)
    assert first.width == engine.trie.branching(0)
    assert engine.prune(given, first, 0, 10**6, 0.0).kept.width == first.width


def test_an_engine_over_a_revision_shares_the_sessions_and_leaves_the_first_alone(engine: OnnxEngine) -> None:
    gone = tuple(engine.bundle.catalogue.ids[:30])
    before = engine.scan(some_context(engine), BUNDLE_ITEMS)
    other = engine.over(revise(engine.bundle, Change(retire=gone)))
    assert other.model_version.startswith("tiny@1+c1.")
    assert (engine.model_version, engine.trie.items) == ("tiny@1", BUNDLE_ITEMS)
    assert all(other._sessions[name] is session for name, session in engine._sessions.items())
    after, again = other.scan(some_context(other), 10**6), engine.scan(some_context(engine), BUNDLE_ITEMS)
    assert before is not None
    assert after is not None
    assert again is not None
    assert after[0].shape == (2, BUNDLE_ITEMS - 30)
    assert np.array_equal(before[0], again[0])
    rows = engine.trie.rows(before[0][0])
    expected = rows[(rows > 30) & np.isfinite(before[1][0])]
    assert np.array_equal(other.trie.rows(after[0][0])[: len(expected)], expected), "the same order without the retired"


def test_an_engine_stays_with_its_graphs(engine: OnnxEngine, bundles: Bundles) -> None:
    with pytest.raises(ValueError, match="has other graphs than tiny@1"):
        engine.over(load(bundles.cross))


@pytest.mark.parametrize("name", ["encoder.onnx", "prm.onnx"])
def test_a_file_that_is_no_graph_is_named(bundles: Bundles, tmp_path: Path, name: str) -> None:
    folder = forged(bundles, tmp_path, name, b"not a graph at all")
    with pytest.raises(BundleError, match=f"{name}: not a graph this runtime can open"):
        OnnxEngine(load(folder), "cpu", 1)


def test_a_graph_of_another_signature_is_named(bundles: Bundles, tmp_path: Path) -> None:
    folder = forged(bundles, tmp_path, "scan.onnx", (bundles.inner / "prm.onnx").read_bytes())
    with pytest.raises(BundleError, match=r"scan\.onnx: its inputs and outputs are not those of contract version"):
        OnnxEngine(load(folder), "cpu", 1)


def forged(bundles: Bundles, tmp_path: Path, name: str, content: bytes) -> Path:
    """A bundle whose manifest vouches for a wrong graph."""
    folder = Path(shutil.copytree(bundles.inner, tmp_path / "forged"))
    (folder / name).write_bytes(content)
    facts = json.loads((folder / "manifest.json").read_text("utf-8"))
    facts["files"][name] = sha256(folder / name)
    (folder / "manifest.json").write_text(json.dumps(facts), "utf-8")
    return folder


@pytest.mark.skipif(cuda_is_here(), reason="a CUDA device is here")
def test_cuda_asked_for_and_absent_is_loud(bundles: Bundles) -> None:
    with pytest.raises(DeviceError, match="no usable CUDA device"):
        OnnxEngine(load(bundles.inner), "cuda", 1)
    assert choose_device("auto") == "cpu"


@pytest.mark.skipif(cuda_is_here(), reason="a CUDA device is here")
@pytest.mark.filterwarnings("ignore:Specified provider")
def test_auto_serves_on_the_cpu_where_cuda_promises_and_fails(
    bundles: Bundles, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sessions, "choose_device", lambda wanted: "cpu" if wanted == "cpu" else "cuda")
    fallen = OnnxEngine(load(bundles.inner), "auto", 1)
    assert (fallen.device, fallen.providers) == ("cpu", ("CPUExecutionProvider",))
    assert "serving on the CPU" in caplog.text
    with pytest.raises(DeviceError, match="could not make a CUDA session"):
        OnnxEngine(load(bundles.inner), "cuda", 1)


def test_a_provider_without_a_device_is_not_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    assert choose_device("auto") == "cpu"
    with pytest.raises(DeviceError, match="no usable CUDA device"):
        choose_device("cuda")


@pytest.mark.gpu
@needs_gpu
def test_the_gpu_finds_what_the_cpu_finds(bundles: Bundles, engine: OnnxEngine) -> None:
    fast = OnnxEngine(load(bundles.inner), "cuda", 1)
    assert fast.providers[0] == "CUDAExecutionProvider"
    plan = Plan.uniform(DEPTH, 20, 60)
    here, there = (search(each, some_context(each), plan, 10) for each in (engine, fast))
    assert np.array_equal(here.node, there.node)
    np.testing.assert_allclose(there.score, here.score, atol=1e-2)
