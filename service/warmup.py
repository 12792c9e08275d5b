"""Before the first request: run every tier, so that none pays for first runs, and measure what it costs."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from service.budget.cost import LEVEL1
from service.budget.ladder import EXACT
from service.engine.padding import newest_first
from service.engine.protocol import Context
from service.items import tokens
from service.search import staged
from service.search.guided import Deadline
from service.search.legality import banned
from service.search.scanned import scan
from service.searcher import Searcher
from service.served import Served

BATCHES = (1, 8)  # the cost of a batch is taken to be linear between and beyond these
LISTED = 10  # items asked for; some strategies are no narrower than that
REPEATS = 3  # the quickest counts: what a batch costs, not what disturbed it

Call = Callable[[Callable[[], Any]], Any]
Fresh = Callable[[], Context]  # the same batch anew: a context keeps what was worked out over it


def warm_up(served: Served, call: Call) -> None:
    """Calibrate every tier of the ladder; `call` runs a function on the device thread.

    One call per tier and batch size, so that requests of other bundles pass in between.
    """
    for batch in BATCHES:
        fresh = call(partial(_inputs, served, batch))
        for tier in served.ladder.names:
            if batch == 1 or tier in served.ladder.walk:
                call(partial(_measure, served, fresh, tier))


def _inputs(served: Served, batch: int) -> Fresh:
    """A batch of the most popular items as history, the longest the encoder reads."""
    rows = served.catalogue.by_popularity[: served.history_limit]
    codes, items, lengths = tokens(served.catalogue, rows)
    memory = served.searcher.engine.encode(codes, items, lengths)
    nothing, history = [banned(served.trie)] * batch, newest_first([rows] * batch, served.catalogue.learned)
    context = served.searcher.engine.context
    return partial(context, memory.repeat(batch, 0), lengths.repeat(batch, 0), nothing, history)


def _measure(served: Served, fresh: Fresh, tier: str) -> None:
    searcher, costs, context = served.searcher, served.controller.costs, fresh()
    if tier == EXACT:
        scan(searcher.engine, context, 1, searcher.engine.pool)
        return
    timed = [_search(searcher, fresh(), tier) for _ in range(REPEATS)]
    first, rest = (min(seconds) for seconds in zip(*timed, strict=True))
    costs.calibrate(LEVEL1, 0, context.batch, first)
    costs.calibrate(tier, served.ladder.k_plus(tier, LISTED), context.batch, rest)


def _search(searcher: Searcher, context: Context, tier: str) -> tuple[float, float]:
    """Seconds of level 1, and of everything after it."""
    engine, rows, clock = searcher.engine, range(context.batch), time.perf_counter
    plan = searcher.ladder.choice(tier, tier, "", LISTED, searcher.ladder.strategy).plan
    if plan is None:
        raise RuntimeError(f"the tier {tier} is no search")
    started = clock()
    first = staged.first_level(engine, context, searcher.trie.branching(0), True, clock)
    middle = clock()
    group = staged.begin(engine, context, first, rows, plan, LISTED)
    for _ in staged.descend(engine, context, group, [Deadline()] * len(rows), clock):
        pass
    return middle - started, clock() - middle
