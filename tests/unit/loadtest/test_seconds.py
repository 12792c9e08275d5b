"""A run second by second: every arrival is counted once, and late means late from the intended start."""

from made_shots import answered, broken, shed, skipped

from loadtest.seconds import per_second, table, total

RUN = [
    answered(0.1, 0.010),
    answered(0.2, 0.020, tier="k10", reason="load", degraded=True),
    answered(0.3, 0.300),
    shed(0.4),
    shed(0.5, retry_after=None),
    broken(0.6),
    skipped(0.7),
    answered(2.5, 0.110),
]


def test_every_arrival_is_counted_once() -> None:
    rows = per_second(RUN, deadline_s=0.1)
    first = rows[0]
    assert [row.at for row in rows] == [0, 1, 2]
    assert [row.offered for row in rows] == [7, 0, 1]
    assert (first.skipped, first.shed, first.failed) == (1, 1, 2)  # refused without Retry-After is a failure
    assert first.statuses == {"0": 1, "200": 3, "503": 2}
    assert first.tiers == {"k10": 1, "k50": 2}
    assert first.reasons == {"best": 2, "load": 1}
    assert first.degraded == 1
    assert rows[1].p50_ms is None


def test_late_is_measured_from_the_intended_start() -> None:
    first, _, last = per_second(RUN, deadline_s=0.1)
    assert (first.goodput, first.missed, first.missed_by_a_fifth) == (2.0, 1, 1)
    assert (last.goodput, last.missed, last.missed_by_a_fifth) == (0.0, 1, 0)
    assert (first.p50_ms, first.p99_ms, first.max_ms) == (20.0, 300.0, 300.0)
    assert per_second(RUN)[0].goodput == 3.0
    stalled = answered(1.0)
    stalled.sent, stalled.ended = 1.5, 1.51
    assert per_second([stalled])[1].p50_ms == 510.0
    assert per_second([stalled])[1].late_ms == 500.0


def test_the_whole_run_is_the_sum_of_its_seconds() -> None:
    rows, whole = per_second(RUN, 0.1), total(RUN, 0.1)
    for name in ("offered", "skipped", "shed", "failed", "missed", "degraded"):
        assert getattr(whole, name) == sum(getattr(row, name) for row in rows)


def test_nothing_at_all() -> None:
    assert per_second([]) == []
    assert total([]).offered == 0


def test_a_line_for_every_row() -> None:
    lines = table([*per_second(RUN), total(RUN)]).splitlines()
    assert len(lines) == 5
    assert lines[1].split()[:3] == ["0", "7", "1"]
    assert lines[1].endswith("k10:1 k50:2")
    assert lines[-1].split()[0] == "all"
