"""The outage table in short, with real parts; what it must notice; and in its whole length under the mark `faults`."""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from loadtest.bench.outages.figures import Figures
from loadtest.bench.outages.load import Load
from loadtest.bench.outages.program import Plan, reasons, run_outages
from loadtest.bench.outages.table import PAIRS, ROWS
from loadtest.bench.venvs import BenchError

if TYPE_CHECKING:
    from tiny import Bundles

SHORT = Plan(healthy_s=0.4, fault_s=0.6, after_s=0.6, load=Load(rate=40, users=12, readers=6, writers=6))
GOOD = Figures(
    requests=10,
    failed=0,
    again=1,
    degraded=2,
    wrong=0,
    events=4,
    accepted=4,
    lost=0,
    longest_event_s=0.1,
    trouble_s=0.5,
    p99_ms={"before": 1.0, "with": 1.0, "after": 1.0},
)


def test_a_replica_and_redis_are_killed_and_nothing_is_lost(
    bundles: "Bundles", capsys: pytest.CaptureFixture[str]
) -> None:
    run_outages(bundles.inner, SHORT, ["replica killed + Redis killed"], json_output=True)
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert (row["failed"], row["wrong"], row["lost"], row["events"]) == (0, 0, 0, row["accepted"])
    assert (row["requests"], row["events"]) == (48, 16)
    assert row["degraded"] > 0  # Redis was really gone
    assert "started again 1" in row["said"]  # and so was the replica


@pytest.mark.faults
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", list(ROWS))
def test_every_row(name: str, bundles: "Bundles", capsys: pytest.CaptureFixture[str]) -> None:
    """Over a small bundle, whose every graph is real; recovery times are the table's business."""
    run_outages(bundles.inner, Plan(load=Load(rate=40)), [name], json_output=True)
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    unkept = [why for why in row["why"] if not why.startswith("trouble for")]
    assert not unkept, f"{unkept}, {row['said']}"


@pytest.mark.parametrize(
    ("spoiled", "word"),
    [
        ({"failed": 1}, "failed"),
        ({"wrong": 1}, "wrong"),
        ({"lost": 1}, "lost"),
        ({"accepted": 3}, "never accepted"),
        ({"trouble_s": 2.5}, "trouble"),
    ],
)
def test_what_is_not_kept_is_said(spoiled: dict[str, float], word: str) -> None:
    assert not reasons(GOOD, 2.0)
    (said,) = reasons(replace(GOOD, **spoiled), 2.0)  # type: ignore[arg-type]  # names and values of the table above
    assert word in said


def test_an_unknown_row_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="Redis stolen is no row; there are no fault, replica killed"):
        run_outages(tmp_path, SHORT, ["Redis stolen"])


def test_there_are_at_least_six_pairs_of_known_faults() -> None:
    assert len(PAIRS) >= 6
    assert all(one in ROWS and other in ROWS for one, other in PAIRS)
