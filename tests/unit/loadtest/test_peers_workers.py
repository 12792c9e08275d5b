"""The workers of the peer benchmark that need no environment of their own, at tiny sizes: what they return is right."""

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from loadtest.bench import peers, workload
from loadtest.bench.workers import ctranslate2_t5, ours, protocol, random_network, sasrec_export, sasrec_faiss
from loadtest.bench.workers.torch_eager import EagerSearch
from loadtest.bench.workload import SHAPES, Sizes, World

SMALL = Sizes(
    items=60,
    codes=3,
    codebook=8,
    history=5,
    d_model=16,
    d_ff=16,
    d_kv=8,
    heads=2,
    encoder_layers=2,
    decoder_layers=1,
    beam=10,
    k_plus=20,
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, Path]:
    """A small world and a folder in which its bundle is."""
    world, folder = workload.build(SMALL, 12), tmp_path_factory.mktemp("world")
    workload.save(world, folder)
    ours.export("inner", folder)
    return world, folder


def test_a_worker_answers_every_line_and_checks_its_lists() -> None:
    out, answers = io.StringIO(), {0: [3, 1], 1: [2, 2], 2: [0, 1]}
    lines = [json.dumps({"round": n, "requests": [n, n]}) for n in (0, 1, 2)]
    protocol.serve(answers.__getitem__, protocol.items_only(2), lines, out)
    said = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [one["round"] for one in said] == [0, 1, 2]
    assert all(len(one["ns"]) == 2 and min(one["ns"]) >= 0 <= one["cpu_ns"] for one in said)
    assert [bool(one["error"]) for one in said] == [False, True, True]


def test_a_list_with_an_item_of_the_history_is_wrong(made: tuple[World, Path]) -> None:
    check, seen = protocol.new_items(2, made[0].histories), made[0].histories[3].tolist()
    new = [row for row in range(1, 61) if row not in seen]
    assert check(3, new[:2]) == ""
    assert "history" in check(3, [new[0], seen[0]])
    assert "distinct" in check(3, [new[0]])


def test_a_worker_whose_files_cannot_be_made_says_why(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"sasrec_export failed: FileNotFoundError: .*world\.json"):
        protocol.make("sasrec_export", str(tmp_path), str(tmp_path / "made"))


def test_sequences_of_an_unconstrained_search_must_be_distinct_and_be_enough() -> None:
    check = ctranslate2_t5.sequences(replace(SMALL, returned=2))
    one, other = (ctranslate2_t5.number(path, 25) for path in ([1, 2, 3], [3, 2, 1]))
    assert one != other
    assert check(0, [one, other]) == ""
    assert check(0, [one, one])
    assert check(0, [one])


@pytest.mark.parametrize("kind", ["guided", "plain", "scan"])
def test_our_searches_return_new_items_and_the_same_ones_again(made: tuple[World, Path], kind: str) -> None:
    side = ours.open_side(kind, "inner", *made)
    for request in range(5):
        found = side.search(request)
        assert side.check(request, found) == ""
        assert side.search(request) == found
    assert side.threads == 1
    assert ("prm" in side.parameters) == (kind != "plain")
    assert ("decoder" in side.parameters) == (kind != "scan")


def test_the_search_in_pytorch_finds_what_ours_finds(made: tuple[World, Path]) -> None:
    theirs, side = (
        EagerSearch(random_network.network_of(made[0], "inner"), made[0]),
        ours.open_side("guided", "inner", *made),
    )
    same = [set(theirs(request)) == set(side.search(request)) for request in range(12)]
    assert sum(same) >= 11, "rows rounded to half precision may swap one pair of near ties, not more"


def test_the_scan_is_the_guided_search_without_a_beam(made: tuple[World, Path]) -> None:
    world, folder = made
    wide = replace(world, sizes=replace(SMALL, beam=60, k_plus=60))
    scan, guided = (ours.open_side(kind, "inner", wide, folder) for kind in ("scan", "guided"))
    assert all(scan.search(request) == guided.search(request) for request in range(5))


def test_the_newest_row_is_the_encoders_own(made: tuple[World, Path]) -> None:
    network = sasrec_export.network_of(made[0])
    tokens = torch.nn.functional.embedding(torch.tensor(made[0].histories[:3]).long(), network.learned)
    with torch.inference_mode():
        whole, newest = network.encoder(tokens)[:, -1], sasrec_export.newest(network.encoder, tokens)
    torch.testing.assert_close(newest, whole)


def test_the_history_is_left_out_of_what_the_index_finds(made: tuple[World, Path]) -> None:
    class Session:
        def run(self, _: None, feeds: dict[str, object]) -> list[object]:
            return [feeds["items"]]

    class Index:
        def search(self, _: object, wanted: int) -> tuple[None, torch.Tensor]:
            return None, torch.arange(wanted)[None]  # the first rows are the nearest, whatever the history

    search = sasrec_faiss.searcher(Session(), Index(), SMALL, made[0].histories)
    for request, history in enumerate(made[0].histories.tolist()):
        assert search(request) == [row for row in range(1, 61) if row not in history][:10]


@pytest.mark.parametrize(("size", "codes", "least", "most"), [("tiger", 3, 4.2, 4.8), ("large", 3, 8.0, 9.0)])
def test_the_named_sizes_have_the_parameters_they_promise(size: str, codes: int, least: float, most: float) -> None:
    world = workload.build(Sizes(codes=codes, **SHAPES[size]), 1)
    counts = random_network.parameters(random_network.network_of(world, "inner"))
    assert least < sum(count for part, count in counts.items() if part != "tables") / 1e6 < most


def test_a_short_run_of_the_sides_that_need_no_environment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = "ours_plain,torch_eager,exact_scan"
    result = peers.run_peers(5, 2, peers=asked, json_output=True, warmup=1, sizes=SMALL, cache=tmp_path)
    printed = capsys.readouterr()
    assert json.loads(printed.out)["ratios"] == result["ratios"]
    assert set(result["ratios"]) == set(asked.split(","))
    assert not result["missing"]
    assert not peers.lacking(result, asked)
    assert all(len(rounds) == 5 and min(rounds) > 0 for rounds in result["ms_per_round"].values())
    assert not list(tmp_path.iterdir()), "no environment was built"
