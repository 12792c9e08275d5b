"""The shelf of search strategies: what each makes of the plan of a tier, by the name a request gives."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from service.search.plan import Plan
from service.search.strategies import widths

Change = Callable[[Plan], Plan]

GUIDED, BEAM, ROUTED = "guided", "beam", "routed"

CHANGES: Mapping[str, Change] = MappingProxyType(
    {
        GUIDED: lambda plan: plan,
        BEAM: widths.beam,
        "best_of_n": widths.best_of_n,
        "final_scorer": widths.final_scorer,
    }
)
STRATEGIES = tuple(CHANGES)
VOTING = frozenset({"optimistic", "interest"})  # need an engine with votes
