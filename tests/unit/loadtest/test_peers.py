"""The peer benchmark's own parts: the shared world, the prefix function, the line protocol, the ratios."""

import io
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from loadtest.bench import peers, venvs, workload
from loadtest.bench.process import Worker
from loadtest.bench.table import print_table
from loadtest.bench.venvs import BenchError
from loadtest.bench.workers import hf_t5, ours, random_bundle
from service.engine import bundle as bundles
from service.engine.graphs import OnnxEngine

SMALL = workload.Sizes(items=60, codes=3, codebook=8, history=5, beam=10, k_plus=20)

# Answers a request i of round r in 1000 * r + i nanoseconds; MODE makes it misbehave. It logs what it was asked.
FAKE = """
import json, os, sys, time
mode, log, folder, core = sys.argv[1:]
assert os.path.exists(folder + "/world.json") and os.path.exists(folder + "/world.npz")
os.sched_setaffinity(0, {int(core)})
print("noise", file=sys.stderr)
ready = {"ready": True, "versions": {"fake": "1"}, "threads": 2 if mode == "threads" else 1,
         "affinity": sorted(os.sched_getaffinity(0))}
print(json.dumps(ready), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    with open(log, "a") as out:
        print(mode, asked["round"], *asked["requests"], file=out)
    if mode == "dies":
        sys.exit("out of memory")
    if mode == "hangs":
        time.sleep(60)
    answer = {"round": asked["round"] + (mode == "lags"), "ns": [1000 * asked["round"] + i for i in asked["requests"]]}
    if mode == "invalid":
        answer["error"] = "9 distinct items instead of 10"
    print(json.dumps(answer), flush=True)
"""


@pytest.fixture
def fake(tmp_path: Path) -> list[str]:
    """Command of the fake worker up to its mode; its log is tmp_path/asked."""
    script = tmp_path / "fake.py"
    script.write_text(FAKE)
    return [sys.executable, "-I", str(script)]


def run(fake: list[str], modes: Sequence[str], tmp_path: Path, rounds: int = 5) -> tuple[peers.Ready, peers.Times]:
    commands = {mode: [*fake, mode, str(tmp_path / "asked")] for mode in modes}
    return peers.measure(commands, workload.build(SMALL, 2 + 3 * rounds), rounds, 3, 2, peers.free_core())


def test_the_same_sizes_and_seed_give_the_same_world_on_disk_too(tmp_path: Path) -> None:
    world = workload.build(SMALL, 7)
    workload.save(world, tmp_path)
    for other in (workload.build(SMALL, 7), workload.load(tmp_path)):
        assert other.sizes == world.sizes
        np.testing.assert_array_equal(other.sids, world.sids)
        np.testing.assert_array_equal(other.histories, world.histories)
    assert not np.array_equal(workload.build(replace(SMALL, seed=1), 7).sids, world.sids)


@pytest.mark.parametrize("codes", [3, 4])
def test_every_item_has_its_own_path_and_a_history_repeats_nothing(codes: int) -> None:
    world = workload.build(replace(workload.Sizes(), codes=codes), 3)
    assert world.sids.shape == (12_101, codes)
    assert world.sids.dtype == np.int32
    assert len(np.unique(world.sids, axis=0)) == 12_101
    assert world.sids.min() >= 0
    assert world.sids.max() < 256
    assert world.histories.shape == (3, 20)
    assert world.histories.min() >= 1
    assert world.histories.max() <= 12_101
    assert all(len(set(history)) == 20 for history in world.histories.tolist())


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"beam": 0}, "beam must be positive"),
        ({"codes": 1}, "too few"),
        ({"k_plus": 5}, "returned <= beam <= k_plus"),
        ({"history": 61}, "at least as many"),
    ],
)
def test_impossible_sizes_are_refused_in_a_sentence(change: dict[str, int], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        workload.build(replace(SMALL, **change), 1)


def test_the_prefix_function_allows_exactly_the_codes_that_continue_some_item() -> None:
    tokens = hf_t5.tokens_of(workload.build(SMALL, 1).sids, SMALL.codebook)
    allowed = hf_t5.prefix_function(tokens)
    assert len(np.unique(tokens)) == sum(len(np.unique(tokens[:, level])) for level in range(3))
    for depth in range(3):
        for path in tokens:
            sentence = torch.tensor([hf_t5.PAD, *path[:depth]])
            below = tokens[(tokens[:, :depth] == path[:depth]).all(1), depth]
            assert allowed(0, sentence).tolist() == sorted(set(below.tolist()))


def test_a_beam_that_left_the_trie_may_only_be_padded() -> None:
    tokens = hf_t5.tokens_of(np.array([[0, 1], [1, 0]], np.int32), 2)
    allowed = hf_t5.prefix_function(tokens)
    for outside in ([0, 1, 3], [0, 3], [1, 1]):
        assert allowed(0, torch.tensor(outside)).tolist() == [hf_t5.PAD]


def test_the_hugging_face_worker_answers_every_line_and_checks_its_lists() -> None:
    out, answers = io.StringIO(), {0: [3, 1], 1: [2, 2], 2: [0, 1]}
    lines = iter([json.dumps({"round": n, "requests": [n, n]}) for n in (0, 1, 2)])
    hf_t5.serve(answers.__getitem__, {"returned": 2}, lines, out)
    said = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [one["round"] for one in said] == [0, 1, 2]
    assert all(len(one["ns"]) == 2 and min(one["ns"]) >= 0 for one in said)
    assert [bool(one["error"]) for one in said] == [False, True, True]


def test_sides_take_turns_on_the_same_requests_and_the_warm_up_is_left_out(fake: list[str], tmp_path: Path) -> None:
    ready, times = run(fake, ["ours", "hf"], tmp_path)
    asked = [line.split(" ", 1) for line in (tmp_path / "asked").read_text().splitlines()]
    assert [side for side, _ in asked] == ["ours", "hf"] * 6
    assert [what for side, what in asked if side == "ours"] == [what for side, what in asked if side == "hf"]
    requests = [what.split()[1:] for side, what in asked if side == "hf"]
    assert len({request for one in requests for request in one}) == 2 + 5 * 3, "a request was asked twice"
    assert times["ours"] == times["hf"] == [[1000 * r + 2 + 3 * (r - 1) + i for i in range(3)] for r in range(1, 6)]
    assert ready["hf"]["threads"] == 1


@pytest.mark.parametrize(
    ("mode", "sentence"),
    [
        ("dies", "the dies worker stopped: out of memory"),
        ("lags", "the lags worker did not answer round 0"),
        ("invalid", "the invalid worker returned an invalid list: 9 distinct items"),
        ("threads", "the threads worker must run one thread on core"),
    ],
)
def test_a_worker_that_misbehaves_stops_the_benchmark(
    fake: list[str], tmp_path: Path, mode: str, sentence: str
) -> None:
    with pytest.raises(BenchError, match=sentence):
        run(fake, ["ours", mode], tmp_path)


def test_a_worker_that_hangs_is_stopped(fake: list[str], tmp_path: Path) -> None:
    workload.save(workload.build(SMALL, 1), tmp_path)
    command = [*fake, "hangs", str(tmp_path / "asked"), str(tmp_path), str(peers.free_core())]
    with Worker("slow", command, tmp_path / "log", timeout_s=2.0) as worker, pytest.raises(BenchError, match="stopped"):
        worker.ask(0, [0])


def test_a_worker_that_never_starts_is_named(tmp_path: Path) -> None:
    command = [sys.executable, "-I", str(tmp_path / "missing.py")]
    with (
        pytest.raises(BenchError, match=r"the gone worker stopped: .*missing\.py"),
        Worker("gone", command, tmp_path / "log"),
    ):
        pass


def test_ratios_are_medians_over_rounds_of_the_ratio_within_a_round() -> None:
    ours = [[1_000_000, 2_000_000, 90_000_000], [4_000_000] * 3, [1_000_000] * 3]
    theirs = [[20_000_000] * 3, [8_000_000] * 3, [3_000_000, 5_000_000, 4_000_000]]
    result = peers.summarise({"ours": ours, "hf": theirs})
    assert result["ratio_per_round"] == {"hf": [10.0, 2.0, 4.0]}
    assert result["ratios"] == {"hf": 4.0}
    assert result["spread"] == {"hf": {"min": 2.0, "max": 10.0}}
    assert result["ms"] == {"ours": 2.0, "hf": 8.0}
    assert result["ms_per_round"]["ours"] == [2.0, 4.0, 1.0]


def test_the_table_shows_every_round_and_the_spread() -> None:
    summary = peers.summarise({"ours": [[2_000_000], [1_000_000]], "hf": [[20_000_000], [8_000_000]]})
    sides = (peers.OURS, *peers.PEERS)
    ready = {side.name: {"versions": {"numpy": "2"}} for side in sides}
    out = io.StringIO()
    print_table(peers.describe(SMALL, ready, 1, 20, 5, sides) | summary, out)
    assert "hf takes 9.00 times our time (8.00 to 10.00)" in out.getvalue()
    assert all(side.title in out.getvalue() and side.differs in out.getvalue() for side in sides)


def test_too_few_rounds_and_impossible_widths_are_refused_before_anything_is_built(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(BenchError, match="at least 5 rounds"):
        peers.run_peers(rounds=4, cache=tmp_path)
    assert peers.main(["--beam", "300"]) == 1
    assert capsys.readouterr().err.startswith("error: sizes must satisfy")
    with pytest.raises(BenchError, match="core 9999 is not among"):
        peers.run_peers(core=9999, cache=tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_environment_is_named_by_its_requirements_and_reused_when_complete(tmp_path: Path) -> None:
    one = venvs.folder_of("hf", ["a==1", "b==2"], tmp_path)
    assert one == venvs.folder_of("hf", ["b==2", "a==1"], tmp_path) != venvs.folder_of("hf", ["a==1"], tmp_path)
    one.mkdir(parents=True)
    (one / venvs.COMPLETE).touch()
    assert venvs.ensure("hf", ["a==1", "b==2"], cache=tmp_path) == one / "bin" / "python"


@pytest.mark.parametrize("requirements", [[], ["torch"], ["a==1", "b>=2"]])
def test_an_environment_must_be_pinned(requirements: list[str], tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="must pin"):
        venvs.ensure("hf", requirements, cache=tmp_path)


def test_an_environment_that_cannot_be_built_is_one_sentence_and_is_not_reused(tmp_path: Path) -> None:
    absent = f"absent @ file://{tmp_path}/absent-1-py3-none-any.whl ; python_version != '=='"
    with pytest.raises(BenchError, match=r"^the hf environment could not be built .*: ERROR") as caught:
        venvs.ensure("hf", [absent], cache=tmp_path)
    assert "\n" not in str(caught.value)
    assert not (venvs.folder_of("hf", [absent], tmp_path) / venvs.COMPLETE).exists()


def test_all_peers_are_pinned_and_named_once() -> None:
    names = [side.name for side in (peers.OURS, *peers.PEERS)]
    assert len(set(names)) == len(names)
    assert all("==" in line for peer in peers.PEERS for line in peer.requirements)
    workers = Path(peers.__file__).parent / "workers"
    assert all((workers / f"{peer.worker}.py").is_file() for peer in peers.PEERS)


def test_our_worker_serves_a_random_bundle_of_the_shared_catalogue(tmp_path: Path) -> None:
    world = workload.build(replace(SMALL, d_model=16, d_ff=16, d_kv=8, heads=2, encoder_layers=1, decoder_layers=1), 3)
    random_bundle.write(world, "inner", tmp_path / "bundle")
    engine = OnnxEngine(bundles.load(tmp_path / "bundle"), "cpu", threads=1)
    search = ours.searcher(engine, world.sizes, world.histories)
    for request, history in enumerate(world.histories.tolist()):
        found = search(request)
        assert hf_t5.check(found, {"returned": SMALL.returned}) == ""
        assert not set(found) & set(history)
        assert search(request) == found
