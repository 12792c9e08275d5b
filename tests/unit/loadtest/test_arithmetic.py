"""The page of arithmetic: its tables are what the program makes, measured inputs are quoted, sums are as by hand."""

import json
from pathlib import Path

import pytest

from loadtest.bench.arithmetic import COUNTED, INPUTS, Sums, lines, run_arithmetic
from loadtest.bench.venvs import BenchError
from service.experiments.stream import MAXLEN

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "service" / "README.md").read_text("utf-8")
FIGURES = (ROOT / "loadtest" / "README.md").read_text("utf-8")


def test_the_page_shows_what_the_program_makes() -> None:
    assert [line for line in lines(Sums()) if line not in PAGE.splitlines()] == []
    assert [line for line in lines(Sums({"peak": 3})) if line not in PAGE.splitlines()] != []


def test_measured_inputs_are_quoted() -> None:
    quoted = {name: one for name, one in INPUTS.items() if one.source not in ("", COUNTED)}
    assert len(quoted) > 12
    for name, one in quoted.items():
        assert one.source in FIGURES, name
        number = one.source.replace(",", "")
        assert f"{one.value:g}" in number or f"{one.value / 1000:g}" in number, name


def test_sums_are_as_by_hand() -> None:
    sums = Sums()
    assert sums.mean == pytest.approx(11_574, abs=1)
    assert 1000 / sums.tier_ms("k50") == pytest.approx(572)
    assert sums.tier_ms("k10") == pytest.approx(1000 / 572 - 0.5)
    k50 = next(way for way in sums.ways() if way.what == "shipped size, k50")
    assert k50.wanted == pytest.approx(28_935 / 400.4, rel=1e-3)
    assert k50.dollars == pytest.approx(k50.wanted * 24 * 0.04 / 1000)
    assert sums.grown_ms("uniform") == pytest.approx(1000 / 236 - 1000 / 274 + 1000 / 274 * 1.73 * 1.73 / 1.34)
    assert sums.sizes()["histories_gb"] == pytest.approx(162.4)
    assert sums.sizes()["stream_s"] == pytest.approx(200_000 / 90e6 * 86_400)
    assert INPUTS["kept"].value == MAXLEN


def test_ten_times_the_requests_are_ten_times_the_cores_at_one_price() -> None:
    once, tenfold = Sums().ways(), Sums({"requests": 1e10}).ways()
    assert [way.wanted * 10 for way in once] == pytest.approx([way.wanted for way in tenfold])
    assert [way.dollars for way in once] == pytest.approx([way.dollars for way in tenfold])


def test_the_breaking_points_of_the_page() -> None:
    sums = Sums()
    core_a_day = sums["service_k50"] * sums["busy"] / sums["peak"] * 86_400 / 1e6
    marks_a_day = sums["redis_gb"] * 1e9 / sums["mark"] / 7 / sums["feedback"] / 1e9
    assert f"at {core_a_day:.0f} M (572" in PAGE
    assert f"or {marks_a_day:.1f} G (a week's marks" in " ".join(PAGE.split())
    assert f"at {sums.sizes()['stream_requests'] / 1e6:.1f} M: it keeps" in PAGE


def test_one_s_own_inputs(capsys: pytest.CaptureFixture[str]) -> None:
    run_arithmetic(["core_hour=0.08"], json_output=True)
    dear = json.loads(capsys.readouterr().out)["ways"][0]["dollars"]
    assert dear == pytest.approx(2 * Sums().ways()[0].dollars)
    run_arithmetic([], json_output=False)
    assert capsys.readouterr().out.endswith("\n".join(lines(Sums())) + "\n")
    for wrong, said in (
        ("corehour=1", "no input is called corehour"),
        ("core_hour=x", "a number"),
        ("peak", "a number"),
    ):
        with pytest.raises(BenchError, match=said):
            run_arithmetic([wrong], json_output=False)
