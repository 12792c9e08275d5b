"""Before the first request: run every tier, so that none pays for first runs, and measure what it costs."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from service.budget.cost import LEVEL1
from service.budget.ladder import EXACT
from service.items import tokens
from service.search import staged
from service.search.guided import Deadline
from service.search.staged import Inputs
from service.search.trie import legal
from service.searcher import Searcher
from service.served import Served

BATCHES = (1, 8)  # the cost of a batch is taken to be linear between and beyond these
REPEATS = 3  # the quickest counts: what a batch costs, not what disturbed it

Call = Callable[[Callable[[], Any]], Any]


def warm_up(served: Served, call: Call) -> None:
    """Calibrate every tier of the ladder; `call` runs a function on the device thread.

    One call per tier and batch size, so that requests of other bundles pass in between.
    """
    for batch in BATCHES:
        inputs = call(partial(_inputs, served, batch))
        for tier in served.ladder.names:
            if batch == 1 or tier in served.ladder.walk:
                call(partial(_measure, served, inputs, tier))


def _inputs(served: Served, batch: int) -> Inputs:
    """A batch of the most popular items as history, the longest the encoder reads."""
    rows = served.catalogue.by_popularity[: served.history_limit]
    codes, items, lengths = tokens(served.catalogue, rows)
    memory = served.searcher.engine.encode(codes, items, lengths)
    allowed = legal(served.trie)[None]
    return Inputs(memory.repeat(batch, 0), lengths.repeat(batch, 0), allowed.repeat(batch, 0))


def _measure(served: Served, inputs: Inputs, tier: str) -> None:
    searcher, costs, size = served.searcher, served.controller.costs, len(inputs.lengths)
    if tier == EXACT:
        searcher.engine.scan(inputs.context(searcher.engine, range(size)), 1)
        return
    timed = [_search(searcher, inputs, tier) for _ in range(REPEATS)]
    first, rest = (min(seconds) for seconds in zip(*timed, strict=True))
    costs.calibrate(LEVEL1, 0, size, first)
    costs.calibrate(tier, served.ladder.k_plus(tier, 1), size, rest)


def _search(searcher: Searcher, inputs: Inputs, tier: str) -> tuple[float, float]:
    """Seconds of level 1, and of everything after it."""
    engine, rows, clock = searcher.engine, range(len(inputs.lengths)), time.perf_counter
    plan = searcher.ladder.choice(tier, tier, "", 1).plan
    assert plan is not None
    started = clock()
    context = inputs.context(engine, rows)
    first = staged.first_level(engine, context, searcher.trie.branching(0), True, clock)
    middle = clock()
    group = staged.begin(engine, first, rows, plan, 1)
    for _ in staged.descend(engine, inputs, group, [Deadline()] * len(rows), clock):
        pass
    return middle - started, clock() - middle
