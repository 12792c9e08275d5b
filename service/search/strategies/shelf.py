"""The shelf of search strategies: what each makes of the plan of a tier, by the name a request gives."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from service.search.plan import Plan
from service.search.strategies import widths
from service.search.strategies.backtrack import Backtracked, narrow
from service.search.strategies.consistent import Consistent
from service.search.strategies.interest import Interested
from service.search.strategies.optimistic import Optimistic
from service.search.strategies.refine import Refined
from service.search.strategies.relaxed import Relaxed
from service.search.strategies.routed import Routed, Router, cheaper
from service.search.strategies.smc import Resampled

Change = Callable[[Plan], Plan]

GUIDED, BEAM, ROUTED = "guided", "beam", "routed"
VOTING = frozenset({"optimistic", "interest"})  # need an engine with votes
EVEN = 0.5  # share of what the router can say: from here on the dear way

CHANGES: Mapping[str, Change] = MappingProxyType(
    {
        GUIDED: lambda plan: plan,
        BEAM: widths.beam,
        "best_of_n": widths.best_of_n,
        "final_scorer": widths.final_scorer,
        "relaxed": lambda plan: replace(plan, keeping=Relaxed()),
        "consistent": lambda plan: replace(plan, keeping=Consistent()),
        "smc": lambda plan: replace(plan, keeping=Resampled()),
        "optimistic": lambda plan: replace(plan, keeping=Optimistic()),
        "interest": lambda plan: replace(plan, keeping=Interested()),
        "refine": lambda plan: replace(plan, finishing=Refined()),
        "backtrack": lambda plan: replace(narrow(plan), finishing=Backtracked()),
    }
)
STRATEGIES = (*CHANGES, ROUTED)


def changed(plan: Plan, strategy: str, router: Router | None = None) -> Plan:
    """The plan of a tier as this strategy runs it.

    Raises:
        KeyError: there is no strategy of this name, or it is `routed` and there is no router.
    """
    if strategy == ROUTED and router is not None:
        return replace(plan, routing=Routed(cheaper(plan), router, EVEN))
    return CHANGES[strategy](plan)
