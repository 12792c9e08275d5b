import json
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from models import report
from models.metrics import Interval
from models.plots import plot_widths
from models.results import Paths, Result, compare


def result(method: str, *, seed: int, k_plus: int = 50, searched: bool = True) -> Result:
    rng = np.random.default_rng(seed)
    rank = rng.integers(0, 51, 200).astype(np.int32)
    paths = Paths(*(rng.random((200, 3)) < chance for chance in (0.9, 0.6, 0.5))) if searched else None
    target = np.arange(1, 201, dtype=np.int32)
    return Result(method, target, rank, rank, 50, 50, k_plus, paths, np.full(5 if searched else 0, 2.5, np.float32))


@pytest.fixture
def results() -> list[Result]:
    searches = [result("beam50", seed=0), *(result(f"guided 50/{k}", seed=k, k_plus=k) for k in (50, 100, 200))]
    return [*searches, result("exact", seed=9, searched=False)]


def test_the_main_table_prints_the_figures_of_the_results(results: list[Result]) -> None:
    head, cells = report.rows(results, "beam50", seed=4)
    assert len(cells) == len(results)
    assert all(len(row) == len(head) for row in cells)
    guided = dict(zip(head, cells[1], strict=True))
    assert float(guided["R@10"]) == pytest.approx(results[1].recall(10), abs=6e-5)
    assert float(guided["N@5"]) == pytest.approx(results[1].ndcg(5), abs=6e-5)
    assert guided["ms/user"] == "2.50"
    hrecall = results[1].hrecall()
    assert hrecall is not None
    assert float(guided["HRecall@2"]) == pytest.approx(hrecall[1], abs=6e-5)
    expected = compare(results[1], results[0], seed=4)["recall@10"]
    assert guided["ΔR@10 to beam50 [95 % CI]"] == report.interval(expected)
    exact = dict(zip(head, cells[-1], strict=True))
    assert exact["HRecall@1"] == exact["ms/user"] == dict(zip(head, cells[0], strict=True))[head[5]] == "–"


def test_the_summary_is_json_and_splits_misses_against_the_exact_ranking(results: list[Result]) -> None:
    beam, guided, *_, exact = json.loads(json.dumps(report.summarise(results, "beam50")))
    parts = guided["errors@10"]
    assert parts["search"] + parts["model"] - parts["luck"] == pytest.approx(1 - guided["recall@10"])
    assert "errors@10" not in exact
    assert "errors@10" not in beam, "a plain beam does not aim at the ranking of any PRM"
    foreign = replace(results[1], method=f"{results[1].method} cross")
    assert "errors@10" not in report.summarise([*results, foreign])[-1], "nor another form's search at this one's"
    assert "against" not in beam
    assert exact["against"]["method"] == "beam50"
    assert exact["hrecall"] is None


def test_rescue_minus_damage_is_the_gain_over_the_beam_in_the_table_by_depth(results: list[Result]) -> None:
    head, cells = report.depth_rows(results)
    assert len(cells) == 4 * 3
    for row in (dict(zip(head, line, strict=True)) for line in cells):
        net = float(row["rescue − damage"].replace("−", "-"))
        assert net == pytest.approx(float(row["HRecall"]) - float(row["beam's K'"]), abs=2.1e-4)
        assert net == pytest.approx(float(row["rescue"]) - float(row["damage"]), abs=2.1e-4)


def test_markdown_and_terminal_tables_hold_the_same_cells(results: list[Result]) -> None:
    for head, cells in (report.rows(results), report.error_rows(results), report.tie_rows(results)):
        markdown = report.to_markdown(head, cells).splitlines()
        assert len(markdown) == len(cells) + 2
        assert len({line.count("|") for line in markdown}) == 1
        console = Console(width=300, record=True, file=StringIO())
        console.print(report.to_rich(head, cells, title="t"))
        text = console.export_text()
        assert all(cell in text for row in cells for cell in row)


def test_figures_over_seeds_are_mean_and_standard_deviation() -> None:
    runs = [[result("guided", seed=seed)] for seed in (1, 2, 3)]
    figures = [run[0].recall(10) for run in runs]
    head, cells = report.seed_rows(runs)
    row = dict(zip(head, cells[0], strict=True))
    assert row["R@10"] == f"{report.share(float(np.mean(figures)))} ± {report.share(float(np.std(figures, ddof=1)))}"
    assert report.seed_rows(runs[:1])[1][0][3] == report.share(figures[0])
    with pytest.raises(ValueError, match="same methods"):
        report.seed_rows([runs[0], [result("other", seed=1)]])


def test_shares_and_intervals_are_printed_as_in_the_literature() -> None:
    assert [report.share(x) for x in (0.07654, 1.0, 0.0, None)] == [".0765", "1.0000", ".0000", "–"]
    assert report.interval(Interval(-0.0012, -0.002, 0.0004)) == "−.0012 [−.0020, +.0004]"


def test_an_unknown_reference_is_refused(results: list[Result]) -> None:
    with pytest.raises(ValueError, match="no method is called 'sasrec'"):
        report.summarise(results, "sasrec")


def test_a_section_is_replaced_and_everything_else_stays(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text("# A\n<!-- begin: t -->\nold\n<!-- end: t -->\nafter\n", "utf-8")
    report.write_section(page, "t", "| new |\n")
    assert page.read_text("utf-8") == "# A\n<!-- begin: t -->\n| new |\n<!-- end: t -->\nafter\n"
    report.write_section(page, "t", "again")
    assert page.read_text("utf-8").count("again") == 1
    with pytest.raises(ValueError, match="no section"):
        report.write_section(page, "absent", "x")


@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_the_plot_is_drawn_from_a_sweep(results: list[Result], tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "plots" / f"k_plus.{suffix}"
    plot_widths(results[1:4], path, beam=results[0], exact=results[-1])
    assert path.stat().st_size > 5000
    with pytest.raises(ValueError, match="nothing to plot"):
        plot_widths([results[-1]], path)
