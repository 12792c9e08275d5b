"""What the peer benchmark makes of its times: ratios within a round, the table, the picture."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from loadtest.bench import table, workload
from loadtest.bench.peers_plot import plot
from loadtest.bench.peers_sides import OURS, PEERS
from loadtest.bench.peers_summary import describe, summarise
from loadtest.bench.venvs import BenchError

SIDES = (OURS, *PEERS)


def result(missing: str = "", share: float = 1.0) -> dict[str, Any]:
    """Two rounds: ours in 2 and 1 ms, every other side in 20 and 8 ms."""
    names = [side.name for side in SIDES if side.name != missing]
    times = {name: [[20_000_000], [8_000_000]] for name in names} | {"ours": [[2_000_000], [1_000_000]]}
    said = {"versions": {"numpy": "2"}, "parameters": {"model": 4_560_000}, "note": "as found"}
    described = describe(workload.Sizes(), dict.fromkeys(names, said), 1, 20, 5, SIDES)
    return (
        described
        | summarise(times)
        | {
            "missing": {missing: "no network"} if missing else {},
            "variables": ["A=1"],
            "smallest_share": {"ours": share, "hf": 1.0},
            "repeated_turns": 3,
        }
    )


def test_ratios_are_medians_over_rounds_of_the_ratio_within_a_round() -> None:
    ours = [[1_000_000, 2_000_000, 90_000_000], [4_000_000] * 3, [1_000_000] * 3]
    theirs = [[20_000_000] * 3, [8_000_000] * 3, [3_000_000, 5_000_000, 4_000_000]]
    found = summarise({"ours": ours, "hf": theirs})
    assert found["ratio_per_round"] == {"hf": [10.0, 2.0, 4.0]}
    assert found["ratios"] == {"hf": 4.0}
    assert found["spread"] == {"hf": {"min": 2.0, "max": 10.0}}
    assert found["ms"] == {"ours": 2.0, "hf": 8.0}
    assert found["ms_per_round"]["ours"] == [2.0, 4.0, 1.0]


def test_the_result_is_json_and_leaves_out_what_did_not_run() -> None:
    read = json.loads(json.dumps(result(missing="hf")))
    assert set(read["ratios"]) == set(read["titles"]) - {"ours"} == {side.name for side in PEERS} - {"hf"}
    assert {"ctranslate2_fp32", "ctranslate2_int8", "optimum_ort"} <= set(read["ratios"])
    assert read["missing"] == {"hf": "no network"}


def test_the_table_shows_every_round_the_spread_and_what_is_missing() -> None:
    out = io.StringIO()
    table.print_table(result(missing="torch_eager"), out)
    said = out.getvalue()
    assert "hf takes 9.00 times our time (8.00 to 10.00)" in said
    assert "torch_eager is missing: no network" in said
    assert all((side.title in said) == (side.name != "torch_eager") for side in SIDES)
    rows = {line.split()[0]: line.split()[1:] for line in said.splitlines() if line.startswith(("hf  ", "ours  "))}
    assert rows == {"ours": ["1.50", "2.00", "1.00"], "hf": ["14.00", "20.00", "8.00"]}


@pytest.mark.parametrize(("share", "kept"), [(0.97, True), (0.6, False)])
def test_the_table_says_when_somebody_else_had_the_core(share: float, kept: bool) -> None:
    out = io.StringIO()
    table.print_table(result(share=share), out)
    assert "3 turns repeated because another process had the core" in out.getvalue()
    assert ("not kept: a side had only 60% of the core" in out.getvalue()) != kept


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        ({"model": 4_560_000}, "4.56 M parameters"),
        ({"encoder": 2_000_000, "prm": 500_000}, "2.50 M parameters (encoder 2.00 + prm 0.50)"),
        ({"model": 1_000_000, "tables": 250_000}, "1.00 M parameters, 0.25 M in rows of items and prefixes"),
    ],
)
def test_parameters_are_counted_without_the_rows_of_items(counts: dict[str, int], sentence: str) -> None:
    assert table.parameters(counts) == sentence


def test_the_picture_has_a_bar_a_side(tmp_path: Path) -> None:
    path = tmp_path / "made" / "peers.svg"
    plot(result(missing="hf"), path)
    drawn = path.read_text()
    assert drawn.startswith("<?xml")
    for name in (side.name for side in SIDES):
        assert (f"<!-- {name} -->" in drawn) == (name != "hf")
    assert "<!--   9.00× (14.0 ms) -->" in drawn


def test_a_picture_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="cannot be written"):
        plot(result(), tmp_path / "peers.unknown")
