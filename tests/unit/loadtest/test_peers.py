"""How the peer benchmark drives its workers: turns, what it refuses, peers that are missing."""

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from loadtest.bench import peers, peers_race, venvs, workload
from loadtest.bench.peers_race import Raced
from loadtest.bench.peers_sides import ENVIRONMENTS, NAMES, OURS, PEERS, PROJECT, chosen
from loadtest.bench.process import Worker
from loadtest.bench.venvs import BenchError

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
    if mode in ("shares", "never"):
        turns = sum(entry.split()[:2] == [mode, str(asked["round"])] for entry in open(log))
        answer["cpu_ns"] = sum(answer["ns"]) * (1.0 if mode == "shares" and turns == 3 else 0.5)
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


def run(fake: list[str], modes: Sequence[str], tmp_path: Path, rounds: int = 5) -> Raced:
    commands = {mode: [*fake, mode, str(tmp_path / "asked")] for mode in modes}
    return peers_race.measure(commands, workload.build(SMALL, 2 + 3 * rounds), rounds, 3, 2, peers_race.free_core())


def test_sides_take_turns_on_the_same_requests_and_the_warm_up_is_left_out(fake: list[str], tmp_path: Path) -> None:
    raced = run(fake, ["ours", "hf"], tmp_path)
    asked = [line.split(" ", 1) for line in (tmp_path / "asked").read_text().splitlines()]
    assert [side for side, _ in asked] == ["ours", "hf"] * 6
    assert [what for side, what in asked if side == "ours"] == [what for side, what in asked if side == "hf"]
    requests = [what.split()[1:] for side, what in asked if side == "hf"]
    assert len({request for one in requests for request in one}) == 2 + 5 * 3, "a request was asked twice"
    assert (
        raced.times["ours"]
        == raced.times["hf"]
        == [[1000 * r + 2 + 3 * (r - 1) + i for i in range(3)] for r in range(1, 6)]
    )
    assert raced.ready["hf"]["threads"] == 1
    assert not raced.missing


def test_a_turn_in_which_a_worker_shared_its_core_is_asked_again(fake: list[str], tmp_path: Path) -> None:
    raced = run(fake, ["ours", "shares", "never"], tmp_path)
    asked = [line.split()[:2] for line in (tmp_path / "asked").read_text().splitlines()]
    assert [asked.count([mode, "1"]) for mode in ("ours", "shares", "never")] == [1, 3, peers_race.TRIES]
    assert raced.repeated == 5 * (2 + peers_race.TRIES - 1)
    assert raced.shares == {"ours": 1.0, "shares": 1.0, "never": 0.5}
    assert all(len(rounds) == 5 for rounds in raced.times.values())


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
    command = [*fake, "hangs", str(tmp_path / "asked"), str(tmp_path), str(peers_race.free_core())]
    with Worker("slow", command, tmp_path / "log", timeout_s=2.0) as worker, pytest.raises(BenchError, match="stopped"):
        worker.ask(0, [0])


def test_a_worker_that_never_starts_is_named(tmp_path: Path) -> None:
    command = [sys.executable, "-I", str(tmp_path / "missing.py")]
    with (
        pytest.raises(BenchError, match=r"the gone worker stopped: .*missing\.py"),
        Worker("gone", command, tmp_path / "log"),
    ):
        pass


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


@pytest.mark.parametrize("named", ["", "hf"])
def test_a_peer_that_cannot_be_had_is_said_and_the_others_are_measured(
    named: str, fake: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log = str(tmp_path / "asked")
    built = {"ours": [*fake, "ours", log], "ours_plain": [*fake, "ours_plain", log], "hf": [*fake, "absent"]}
    monkeypatch.setattr(peers, "commands", lambda *_: (built, {"sasrec_faiss": "the faiss environment is broken"}))
    code = peers.main(["--rounds", "5", "--requests", "1", *(["--peers", named] if named else [])])
    said = capsys.readouterr().out
    assert code == bool(named), "only a peer that was asked for by name makes the command fail"
    assert "sasrec_faiss is missing: the faiss environment is broken\n" in said
    assert "hf is missing: the hf worker stopped: ValueError" in said
    assert "ours_plain takes 1.00 times our time" in said
    assert "hf takes" not in said


def test_sides_of_one_environment_are_built_once_and_miss_it_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def ensure(name: str, *_: object, **__: object) -> Path:
        asked.append(name)
        if name == "ctranslate2":
            raise BenchError("no network")
        return tmp_path / "python"

    monkeypatch.setattr(venvs, "ensure", ensure)
    built, missing = peers_race.commands(chosen("", "inner"), tmp_path, False, "")
    assert sorted(asked) == sorted(ENVIRONMENTS)
    assert missing == {"ctranslate2_fp32": "no network", "ctranslate2_int8": "no network"}
    assert set(built) == {"ours", *NAMES} - set(missing)
    assert built["hf"][-5:] == [str(tmp_path / "python"), "-E", "-s", "-m", "loadtest.bench.workers.hf_t5"]


def test_without_ours_there_is_nothing_to_compare(fake: list[str], tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="the ours worker stopped"):
        peers_race.measure({"ours": [*fake, "absent"]}, workload.build(SMALL, 17), 5, 3, 2, peers_race.free_core())
    assert not list(tmp_path.glob("asked"))


def test_peers_are_chosen_by_name_in_one_order() -> None:
    assert [side.name for side in chosen("", "inner")] == ["ours", *NAMES]
    assert [side.name for side in chosen("hf, ours_plain", "inner")] == ["ours", "ours_plain", "hf"]
    with pytest.raises(BenchError, match="no peer is called 'faiss': ours_plain, ours_int8, torch_eager, "):
        chosen("hf,faiss", "inner")


def test_the_form_of_the_prm_reaches_our_searches_and_only_them() -> None:
    inner, cross = chosen("", "inner"), chosen("", "cross")
    changed = {one.name for one, other in zip(inner, cross, strict=True) if one != other}
    assert changed == {"ours", "ours_plain"}
    assert cross[0].title.endswith("cross PRM")
    assert cross[0].arguments == ("guided", "cross")


def test_all_peers_are_pinned_and_named_once() -> None:
    sides = (OURS, *PEERS)
    assert len({side.name for side in sides}) == len(sides)
    assert {side.environment for side in sides} == {PROJECT, *ENVIRONMENTS}
    assert all(line.count("==") == 1 for pins in ENVIRONMENTS.values() for line in pins)
    workers = Path(peers.__file__).parent / "workers"
    assert all((workers / f"{side.worker}.py").is_file() for side in sides)


def test_a_worker_is_told_to_take_avx512_where_the_processor_has_all_of_it(tmp_path: Path) -> None:
    info, all_of_it = tmp_path / "cpuinfo", " ".join(sorted(peers_race.AVX512))
    info.write_text(f"model name\t: some\nflags\t\t: fpu avx2 {all_of_it}\n")
    assert peers_race.variables(info) == (*peers_race.VARIABLES, "CT2_FORCE_CPU_ISA=AVX512")
    for text in ("flags : fpu avx2 avx512f\n", "Features : neon\n"):
        info.write_text(text)
        assert peers_race.variables(info) == peers_race.VARIABLES
    assert peers_race.variables(tmp_path / "absent") == peers_race.VARIABLES


@pytest.mark.parametrize(
    ("option", "sentence"),
    [({"peers": "bert"}, "no peer is called"), ({"size": "huge"}, "no size is"), ({"prm": "outer"}, "no PRM form is")],
)
def test_unknown_names_are_refused_in_a_sentence(option: dict[str, str], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=sentence):
        peers.run_peers(cache=tmp_path, **option)  # type: ignore[arg-type]  # strings all of them
    assert not list(tmp_path.iterdir())
