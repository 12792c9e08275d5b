"""What a catalogue change of one percent costs, and for how long it keeps another thread from running."""

import gc
import threading
import time
from dataclasses import dataclass

import numpy as np

from loadtest.bench.scale_world import Size, split
from service.engine.bundle import Bundle
from service.engine.revision import Change, NewItem, revise

TICK_S, LOOK_S = 0.001, 0.5


@dataclass(frozen=True)
class Updated:
    """Seconds of the change, wall clock and processor; the longest pause of a ticking thread meanwhile, and before."""

    wall_s: float
    cpu_s: float
    pause_s: float
    idle_pause_s: float


class Ticking(threading.Thread):
    """Wakes every millisecond, and remembers the longest time between two wakes."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._going, self._longest = True, 0.0

    def run(self) -> None:
        last = time.perf_counter()
        while self._going:
            time.sleep(TICK_S)
            now = time.perf_counter()
            self._longest, last = max(self._longest, now - last), now

    def longest(self) -> float:
        """Seconds since the last call to this, and begin anew."""
        time.sleep(2 * TICK_S)
        longest, self._longest = self._longest, 0.0
        return longest

    def stop(self) -> None:
        self._going = False
        self.join()


def change_of(bundle: Bundle, size: Size, seed: int) -> Change:
    """Add half a percent of the items at free places, retire half a percent."""
    rng, count = np.random.default_rng(seed), max(1, size.items // 200)
    drawn = split(np.unique(rng.integers(0, size.codebook**bundle.trie.depth, 2 * count)), size)
    free = rng.permutation(drawn[bundle.trie.find_all(drawn) == 0])[:count]
    gone = rng.choice(bundle.trie.leaf_row, count, replace=False)
    new = (NewItem(f"new-{seed}-{at}", tuple(sid), popularity=1) for at, sid in enumerate(free.tolist()))
    return Change(tuple(new), tuple(bundle.catalogue.ids[row - 1] for row in gone.tolist()))


def update(bundle: Bundle, size: Size, seed: int) -> tuple[Bundle, Updated]:
    """Revise the bundle, with a thread that ticks beside it."""
    change = change_of(bundle, size, seed)
    gc.collect()
    ticking = Ticking()
    ticking.start()
    time.sleep(LOOK_S)
    idle, wall, cpu = ticking.longest(), time.perf_counter(), time.thread_time()
    revised = revise(bundle, change)
    wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
    pause = ticking.longest()
    ticking.stop()
    return revised, Updated(wall, cpu, pause, idle)
