"""promise report: a file of results by either spelling, and the study from what is kept alone."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from models import results
from models.manifest import Dims
from models.results import Paths, Result, ResultsError
from models.scaling import facts
from models.scaling.facts import Facts
from models.scaling.flops import Sizes
from models.scaling.ways import groups
from service import cli

USERS, DEPTH, ITEMS = 30, 3, 300


def made(name: str) -> Result:
    rank, held = np.arange(USERS, dtype=np.int32) % 7, np.ones((USERS, DEPTH), np.bool_)
    paths = None if name == "exact" else Paths(held, held, held)
    return Result(name, np.ones(USERS, np.int32), rank, rank, 10, 10, 20, paths, np.ones(3, np.float32))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run whose bundles are gone, and what was measured of one of them."""
    dims = Dims(width=8, heads=2, head_width=4, encoder_layers=1, decoder_layers=1, feed_forward=16, history=9)
    sizes = Sizes(dims, 16, ITEMS, (16, 100, ITEMS), (16, 16, 16))
    folder = tmp_path / "run" / "results" / "middle"
    facts.save(Facts("made@1", "B", 1, 0, {}, sizes, (0, 3, 4), ((10, 20),) * DEPTH), folder)
    for group, ways in groups(("peers", "k10", "depths"), DEPTH, ITEMS, ((10, 20),) * DEPTH).items():
        results.save([made(way.name) for way in ways], folder / f"{group}-5.npz")
    return tmp_path / "run"


def study(run: Path, *more: str) -> list[str]:
    nowhere = str(run / "nowhere")
    return [
        *("report", "scaling", "--run", str(run), "--bundle", nowhere, "--sports", nowhere, "--world", nowhere),
        *("--users", "5", "--more", "5", *more),
    ]


@pytest.mark.parametrize("before", [[], ["results"]])
def test_results_are_shown_with_or_without_the_word(tmp_path: Path, before: list[str]) -> None:
    results.save([made("beam10"), made("exact")], tmp_path / "some.npz")
    shown = CliRunner().invoke(cli.app, ["report", *before, str(tmp_path / "some.npz"), "--json"])
    assert [figures["method"] for figures in json.loads(shown.output)] == ["beam10", "exact"]


def test_the_study_is_drawn_and_told_from_what_is_kept(run: Path) -> None:
    page = run / "page.md"
    page.write_text("<!-- begin: scaling -->\n<!-- end: scaling -->\n")
    shown = CliRunner().invoke(cli.app, study(run, "--markdown", str(page), "--plots", str(run / "figures"), "--json"))
    told = json.loads(shown.stdout)
    assert list(told["bundles"]) == ["middle"]
    assert any(line.startswith("small: no bundle at") for line in told["missing"])
    assert "| middle |" in page.read_text()
    drawn = {file.name: file.read_bytes() for file in (run / "figures").iterdir()}
    assert set(drawn) == {"scaling-sizes.svg", "scaling-widths.svg"}
    CliRunner().invoke(cli.app, study(run, "--plots", str(run / "figures")))
    assert {file.name: file.read_bytes() for file in (run / "figures").iterdir()} == drawn


def test_a_mistaken_name_is_told(run: Path) -> None:
    for option in ("--only", "--groups"):
        with pytest.raises(ResultsError, match="knows no 'nothing'"):
            CliRunner().invoke(cli.app, study(run, option, "nothing"), catch_exceptions=False)
