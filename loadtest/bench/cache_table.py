"""The cache benchmark's result for people: hits and bytes, then what a look-up costs and saves by length."""

from typing import Any

from loadtest.bench.cache_costs import TIER, WAYS
from loadtest.bench.output import Output

CACHED = [way for way in WAYS if way != "recomputed"]


def show_hits(found: dict[str, Any], out: Output) -> None:
    traffic, stored, hits = found["traffic"], found["stored"], found["hits"]
    out.say(
        f"{traffic['users']} users, Zipf {traffic['exponent']:g}, {traffic['visits']} visits to a process and then "
        f"{traffic['second']} to a second one, {traffic['bought']:.0%} of them let the history grow; "
        f"{traffic['cache_mb']} MB of memory in each process"
    )
    rows = [[name, *(f"{share[kind]:.1%}" for kind in ("memory", "redis", "miss"))] for name, share in hits.items()]
    out.table(["", "found in memory", "found in Redis", "encoded"], rows)
    each = stored["mean_bytes"] * stored["encodings"] / stored["users"]
    out.say(f"Redis holds {stored['encodings']} encodings of {stored['users']} users, {each:.0f} bytes a user;")
    out.say(
        f"MEMORY USAGE of one: {stored['bytes']:.0f} bytes (median), {stored['mean_bytes']:.0f} (mean), "
        f"{stored['largest_bytes']} (largest); its value alone {stored['value_bytes']:.0f} (median)"
    )


def show_costs(title: str, lengths: dict[int, dict[str, Any]], out: Output) -> None:
    out.say()
    out.say(f"{title}: a request at tier {TIER}, ms (median), and ms saved against recomputing the same histories")
    _table(lengths, "ms", "saved_ms", "break_even_hit_ratio", out)
    out.say(f"{title}: the same in processor ms of the service")
    _table(lengths, "cpu_ms", "saved_cpu_ms", "break_even_hit_ratio_cpu", out)


def _table(lengths: dict[int, dict[str, Any]], key: str, saved: str, even: str, out: Output) -> None:
    rows = [
        [
            length,
            *(part[key][way] for way in WAYS),
            *(f"{part[saved][way]:+.2f}" for way in CACHED),
            "never" if part[even] is None else f"{part[even]:.0%} hits",
        ]
        for length, part in lengths.items()
    ]
    out.table(["items", *WAYS, *(f"saved: {way}" for way in CACHED), "Redis pays from"], rows)


def show_verdict(result: dict[str, Any], out: Output) -> None:
    out.say()
    out.say("net ms saved a request of that traffic: hits save, misses cost their look-up")
    processes = list(result["shipped"]["hits"])
    rows = [
        [f"{size}, {length} items", *(f"{net[process]:+.2f}" for process in processes)]
        for size, lengths in result["net_ms"].items()
        for length, net in lengths.items()
    ]
    out.table(["", *processes], rows)
    out.say("a hit is cheaper than recomputing at the heavy size: " + ("kept" if result["kept"] else "not kept"))
