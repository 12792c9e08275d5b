"""The scale benchmark's result as tables for people."""

from collections.abc import Mapping
from typing import Any

from loadtest.bench.output import Output

COLUMNS = (
    "items",
    "codes",
    "nodes/item",
    "widest",
    "build s",
    "trie B/item",
    "rows B/item",
    "encode ms",
    "k50 ms",
    "× 12k",
    "k200 ms",
    "× 12k",
    "scan ms",
    "× k50",
    "update s",
    "pause ms",
    "idle ms",
    "peak GB",
)


def print_scale(result: Mapping[str, Any], output: Output) -> None:
    """Print the dict that `scale.run_scale` returns."""
    output.header("Catalogues from ten thousand to ten million items, one model, one core", result["machine"])
    output.say(
        f"{result['rounds']} rounds of {result['requests']} requests a size and step, all sizes in turns; medians; "
        "search: a request whose encoding is cached; update: 1 % of the items; pause: of a thread that ticks each ms"
    )
    for codes, found in result["codes"].items():
        output.say()
        output.say(f"{codes} codes")
        output.table(COLUMNS, [_row(facts) for facts in found["sizes"].values()])
        for name, facts in found["sizes"].items():
            low, high = facts["over_base"]["k50"]["min"], facts["over_base"]["k50"]["max"]
            output.say(f"{name}: k50 takes {low:.2f} to {high:.2f} times as long as at {result['base']}, by round")
        for name, graph in found["hnsw"].items():
            _print_hnsw(name, graph, found["sizes"][name], output)


def _row(facts: Mapping[str, Any]) -> list[object]:
    ms, base = facts["ms"], facts["over_base"]
    return [
        f"{facts['items']:,}",
        f"3 x {facts['codebook']}",
        facts["nodes"] / facts["items"],
        "/".join(map(str, facts["widest"])),
        facts["build_s"],
        facts["trie_bytes"],
        facts["row_bytes"],
        ms["encode"],
        ms["k50"],
        base["k50"]["median"],
        ms["k200"],
        base["k200"]["median"],
        ms["scan"],
        facts["scan_over_search"]["median"],
        facts["update_s"]["median"],
        1e3 * facts["pause_s"],
        1e3 * facts["idle_pause_s"],
        facts["peak_gb"],
    ]


def _print_hnsw(name: str, graph: Mapping[str, Any], facts: Mapping[str, Any], output: Output) -> None:
    output.say()
    output.say(
        f"{name}: HNSW over the same leaf rows (faiss-cpu {graph['versions']['faiss-cpu']}, {graph['links']} links, "
        f"efConstruction {graph['build_effort']}): built in {graph['build_s']:.0f} s, {graph['bytes']:.0f} bytes an "
        f"item; an exact scan takes {facts['ms']['scan']:.1f} ms"
    )
    rows = [[effort, one["ms"], one["over_search"], one["recall"]] for effort, one in graph["efforts"].items()]
    output.table(("efSearch", "ms", "× our k50", "recall of the exact ten"), rows)
