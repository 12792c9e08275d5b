"""Times of encoding a long history whole and of extending what was kept of it, in interleaved rounds on one core.

A round times every way in turn. Milliseconds are processor time of the calling thread, which other jobs on the core
do not lengthen; the time on the wall is kept beside it.
"""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from loadtest.bench.histories_sides import I32, Encoder, pack, unpacked
from loadtest.bench.histories_sizes import ITEMS
from loadtest.bench.histories_window import cycle, extended
from loadtest.bench.output import spread

WHOLE, STEPS, VISITS = "whole", "in steps", "visits at the limit"
FORMS = ("memory", "states", "keys and values")
ROUND_S = 0.05  # for one way in one round; one call at least
Calls = Mapping[str, Callable[[], object]]
Rounds = dict[str, list[tuple[float, float]]]  # way → (processor, wall) ms of every round


def extend(form: str, new: int) -> str:
    """The name of extending what was kept in this form by so many items."""
    return f"{form}, {new} new"


def measure(
    encoder: Encoder, limit: int, new: tuple[int, ...], rounds: int, at_limit: float, seed: int
) -> dict[str, Any]:
    """Everything about histories of `limit` items of one encoder; `at_limit` is the share of visits by full windows."""
    block = max(1, limit // 4)
    items = np.random.default_rng(seed).integers(1, ITEMS + 1, limit + block).astype(np.int32)
    kept = _kept(encoder, items[:limit])
    calls = _calls(encoder, items[:limit], new, kept)
    raced = race(calls | {VISITS: lambda: walk(encoder, items, limit, block, kept["states"])}, rounds)
    for way, times in raced.items():
        if way == VISITS:
            raced[way] = [(cpu / block, wall / block) for cpu, wall in times]
    ms = {way: [cpu for cpu, _ in times] for way, times in raced.items()}
    ways = [extend(form, count) for form in FORMS[1:] for count in new]
    return {
        "limit": limit,
        "bytes": {form: len(packed) for form, packed in kept.items()},
        "ms": {way: spread(times) for way, times in ms.items()},
        "wall_ms": {way: spread([wall for _, wall in times]) for way, times in raced.items()},
        "ratio": {way: _ratio(ms[WHOLE], ms[way]) for way in ways},
        "ratio_of_steps": {way: _ratio(ms[STEPS], ms[way]) for way in ways},
        "extended_at_limit": {"by one": extended(limit, 1), "by blocks": extended(limit, block)},
        "mean_ms": _means(ms, new[0], at_limit),
        "difference": _difference(encoder, items[:limit]),
    }


def race(calls: Calls, rounds: int) -> Rounds:
    """Every way in turn, once to warm up and then `rounds` times; medians of the calls of a round."""
    repeats = {way: max(1, min(25, int(1000 * ROUND_S / max(_timed(call)[1], 1e-3)))) for way, call in calls.items()}
    found: Rounds = {way: [] for way in calls}
    for _ in range(rounds):
        for way, call in calls.items():
            times = [_timed(call) for _ in range(repeats[way])]
            found[way].append((statistics.median(t[0] for t in times), statistics.median(t[1] for t in times)))
    return found


def _timed(call: Callable[[], object]) -> tuple[float, float]:
    cpu, wall = time.thread_time_ns(), time.perf_counter_ns()
    call()
    return (time.thread_time_ns() - cpu) / 1e6, (time.perf_counter_ns() - wall) / 1e6


def _kept(encoder: Encoder, items: I32) -> dict[str, bytes]:
    """What the cache would hold of these items, in every form."""
    states, pasts = encoder.in_steps(items), encoder.append(*encoder.no_pasts(), items)
    return {"memory": pack(states[-1]), "states": pack(states), "keys and values": encoder.pack_pasts(*pasts)}


def _calls(
    encoder: Encoder, items: I32, new: tuple[int, ...], kept: Mapping[str, bytes]
) -> dict[str, Callable[[], object]]:
    calls: dict[str, Callable[[], object]] = {
        WHOLE: lambda: encoder.whole(items),
        STEPS: lambda: encoder.in_steps(items),
    }
    for count in new:
        before, newest = _kept(encoder, items[:-count]), items[-count:]
        calls[extend("states", count)] = _over_states(encoder, before["states"], newest)
        calls[extend("keys and values", count)] = _over_pasts(encoder, before["keys and values"], newest)
    states, pasts = encoder.unpack(kept["states"]), encoder.unpack_pasts(kept["keys and values"])
    stores: list[Callable[[], object]] = [
        lambda: pack(states[-1]),
        lambda: pack(states),
        lambda: encoder.pack_pasts(*pasts),
    ]
    for form, store in zip(FORMS, stores, strict=True):
        calls[f"load {form}"] = _load(kept[form])
        calls[f"store {form}"] = store
    return calls


def _load(packed: bytes) -> Callable[[], object]:
    return lambda: unpacked(packed)


def _over_states(encoder: Encoder, packed: bytes, newest: I32) -> Callable[[], object]:
    return lambda: encoder.extend(encoder.unpack(packed), newest)


def _over_pasts(encoder: Encoder, packed: bytes, newest: I32) -> Callable[[], object]:
    return lambda: encoder.append(*encoder.unpack_pasts(packed), newest)


def walk(encoder: Encoder, items: I32, limit: int, block: int, packed: bytes) -> bytes:
    """All visits of a cycle of a user at the limit, the window moved by blocks: load, extend or encode, store."""
    for visit in cycle(limit, block):
        if visit.new is None:
            states = encoder.in_steps(items[visit.begin : visit.end])
        else:
            states = encoder.extend(encoder.unpack(packed), items[visit.end - visit.new : visit.end])
        packed = pack(states)
    return packed


def _means(ms: Mapping[str, list[float]], new: int, at_limit: float) -> dict[str, float]:
    """ms a visit, storing included: nothing kept but memory; states and a window that moves by one; by blocks."""
    middle = {way: statistics.median(times) for way, times in ms.items()}
    whole = middle[WHOLE] + middle["store memory"]
    grown = middle[extend("states", new)] + middle["store states"]
    return {
        "memory alone": whole,
        "states, by one": at_limit * whole + (1 - at_limit) * grown,
        "states, by blocks": at_limit * middle[VISITS] + (1 - at_limit) * grown,
    }


def _ratio(ours: list[float], other: list[float]) -> dict[str, float]:
    return spread([a / b for a, b in zip(ours, other, strict=True)])


def _difference(encoder: Encoder, items: I32) -> float:
    """Largest difference of an extended memory from the whole one, relative to max(1, |value|)."""
    whole = encoder.whole(items).astype(np.float64)
    states = encoder.extend(encoder.in_steps(items[:-1]), items[-1:])
    return float((np.abs(states[-1] - whole) / np.maximum(1, np.abs(whole))).max())
