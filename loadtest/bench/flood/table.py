"""A flood run for people: the overload, the herd, every attack with what honest callers had before and during it."""

from collections.abc import Mapping
from typing import Any

from loadtest.bench.flood.rows import ROWS
from loadtest.bench.output import Output

NAMES = [
    "attack",
    "offered/s",
    "in time before",
    "during",
    "share",
    "p99 ms before",
    "during",
    "refused/s",
    "memory MB",
]


def show(result: Mapping[str, Any], out: Output) -> None:
    """Print the dict that `flood.run_flood` returns."""
    rows = result["rows"]
    out.header(f"Floods: {result['bundle']}, budget auto, deadline {result['plan']['deadline_ms']:g} ms", result)
    out.say(f"capacity: {result['capacity']:.0f} requests a second of tier k50")
    if "overload" in rows:
        _overload(rows["overload"], out)
    if "herd" in rows:
        for name, told in (("warm", "against the running service"), ("cold", "after a restart, nothing cached")):
            _herd(rows["herd"][name], told, out)
    attacks = [name for name in rows if name in ROWS]
    if attacks:
        out.table(NAMES, [_line(ROWS[name].title, rows[name]) for name in attacks])
    for name in attacks:
        out.say(f"{name}: the attacker was told {', '.join(f'{key} {n}' for key, n in rows[name]['told'].items())}")
    for name, row in rows.items():
        for wrong in row["wrong"]:
            out.say(f"{name}: {wrong}")
    out.say("kept" if result["kept"] else "not kept")


def _overload(row: Mapping[str, Any], out: Output) -> None:
    for name, what in (("goodput", "as it was"), ("rates", "had the service had its core alone")):
        rates = ", ".join(f"{factor:g}×: {rate:.0f}" for factor, rate in row[name].items())
        out.say(f"answers in time a second by load in capacities, {what}: {rates}")
    out.say(f"other processes had {row['others']:.0%} of the core; {row['refused']:.0f} refused a second at 10×")
    recovered = "never" if row["recovery_s"] is None else f"after {row['recovery_s']} s"
    ratio = " … ".join(f"{row['ratio'][name]:.0%}" for name in ("min", "median", "max"))
    out.say(f"at 10× {ratio} of the best of its round, p99 {row['p99_ms']:.0f} ms; as before {recovered}")


def _herd(row: Mapping[str, float], told: str, out: Output) -> None:
    out.say(
        f"{row['clients']} clients at once, {told}: half answered after {row['half_s']:g} s, 99 % after "
        f"{row['p99_s']:g}, all after {row['all_s']:g}; {row.get('refused', 0)} refusals"
    )


def _line(title: str, row: Mapping[str, Any]) -> list[object]:
    before, during = row["before"], row["during"]
    rates = [round(during["offered"]), round(before["goodput"]), round(during["goodput"])]
    times = [round(part["p99_ms"] or 0, 1) for part in (before, during)]
    return [title, *rates, f"{row['ratio']:.0%}", *times, round(during["refused"]), f"{row['growth_mb']:+.0f}"]
