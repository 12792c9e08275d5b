"""The ladder of tiers: one dial from a plain narrow beam to an exact scan (design section 5)."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType

from service.errors import StartError, UnknownStrategyError, UnknownTierError
from service.search.plan import Level, Plan, Rule
from service.search.strategies.routed import Router
from service.search.strategies.shelf import BEAM, GUIDED, ROUTED, STRATEGIES, VOTING, changed

AUTO = "auto"
EXACT = "exact"
NONE = "none"
Widths = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Tier:
    """A name and its widths: K' prefixes kept of K+ expanded at every level; without the PRM it is a plain beam.

    A bundle may tune the widths by depth under the same name.
    """

    name: str
    k_keep: int
    k_plus: int
    use_prm: bool = True


TIERS = (
    Tier("floor", 10, 10, use_prm=False),
    *(Tier(f"k{width}", width, 4 * width) for width in (10, 20, 50, 100, 200, 500, 1000)),
)
WALK = ("floor", "k10", "k20", "k50")
SEARCHES = tuple(tier.name for tier in TIERS)


@dataclass(frozen=True)
class Choice:
    """What a request will spend. `plan` is None for the exact scan; widths are those that run, grown to hold k.

    `strategy`: the one that runs, which is `beam` at a tier without the PRM, and `none` where no search does.
    """

    requested: str
    tier: str
    reason: str
    plan: Plan | None
    k_keep: int
    k_plus: int
    strategy: str = GUIDED

    @staticmethod
    def nothing(requested: str, reason: str) -> "Choice":
        """No search runs: the tier is `none` and costs nothing."""
        return Choice(requested, NONE, reason, None, 0, 0, NONE)

    def taking(self, plan: Plan) -> "Choice":
        """The same with another plan of the same strategy."""
        return replace(self, plan=plan, k_keep=plan.levels[-1].k_keep, k_plus=plan.levels[-1].k_plus)


@dataclass(frozen=True)
class Ladder:
    """The tiers a bundle offers: `depth` levels, its scoring `rule`, and `exact` where its PRM can scan.

    `widths`: (K', K+) of every level for the tiers that the bundle tuned. `walk`: the tiers `auto` may choose from,
    cheapest first. The exact scan is not one of them: it shares no level with a search, so it cannot follow a first
    level that was already run. `pool`: leaves that the bundle's correction ranks anew, 0 = it has none; `votes`: its
    PRM has further heads, which some strategies ask. `router`: what tells requests that a dear plan is worth it for.
    `strategy`: of requests that name none.

    Raises:
        StartError: the walk is empty, names a tier that cannot be walked, or does not climb; widths that cannot run.
    """

    depth: int
    rule: Rule
    exact: bool
    walk: tuple[str, ...] = WALK
    widths: Mapping[str, Widths] = field(default_factory=lambda: MappingProxyType({}))
    pool: int = 0
    votes: bool = False
    router: Router | None = None
    strategy: str = GUIDED

    def __post_init__(self) -> None:
        for name, levels in self.widths.items():
            runs = len(levels) == self.depth and all(1 <= keep <= plus for keep, plus in levels)
            if name not in SEARCHES or not runs:
                raise StartError(f"Tier {name!r} cannot be tuned to {levels}: {self.depth} pairs 1 <= K' <= K+ fit.")
        unknown = [name for name in self.walk if name not in SEARCHES]
        if unknown or not self.walk:
            named = f"not {unknown[0]!r}" if unknown else "at least one"
            raise StartError(f"auto walks tiers among {', '.join(SEARCHES)}: {named}.")
        if self.walk != tuple(name for name in SEARCHES if name in self.walk):
            raise StartError(f"The tiers that auto walks must go from cheap to dear: {', '.join(self.walk)} do not.")

    @property
    def names(self) -> tuple[str, ...]:
        """Every name a request may ask for, cheapest first; `exact` only where the bundle can scan."""
        return (*SEARCHES, *((EXACT,) if self.exact else ()))

    @cached_property
    def strategies(self) -> tuple[str, ...]:
        """Every strategy a request may ask for."""
        missing = (frozenset() if self.votes else VOTING) | (frozenset() if self.router else {ROUTED})
        return tuple(name for name in STRATEGIES if name not in missing)

    def check_strategy(self, name: str) -> None:
        """Raise UnknownStrategyError unless this bundle offers the strategy."""
        if name in self.strategies:
            return
        if name in STRATEGIES:
            what = "a router" if name == ROUTED else "the votes of a PRM"
            raise UnknownStrategyError(f"The strategy {name!r} needs {what}, which this bundle has not.")
        near = difflib.get_close_matches(name, self.strategies, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise UnknownStrategyError(f"There is no such strategy; there are {', '.join(self.strategies)}.{hint}")

    def check(self, name: str) -> None:
        """Raise UnknownTierError unless this bundle offers the tier."""
        if name in self.names:
            return
        near = difflib.get_close_matches(name, (AUTO, *self.names), n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise UnknownTierError(f"This bundle has no such tier; it offers {AUTO}, {', '.join(self.names)}.{hint}")

    def choice(
        self,
        requested: str,
        tier: str,
        reason: str,
        k: int,
        strategy: str = GUIDED,
        rule: Rule | None = None,
    ) -> Choice:
        """The plan for k items at `tier`, which is never `auto`; `rule` replaces the bundle's own.

        Raises:
            UnknownTierError: no such tier in this bundle, or another strategy was asked of the exact scan.
            UnknownStrategyError: no such strategy with this bundle.
        """
        self.check(tier)
        self.check_strategy(strategy)
        if tier == EXACT:
            if strategy != GUIDED:
                raise UnknownTierError(f"The tier 'exact' ranks every item; it cannot run as strategy {strategy!r}.")
            return Choice(requested, EXACT, reason, None, k, k, NONE)
        plan = self._plan(TIERS[SEARCHES.index(tier)], strategy, rule or self.rule).at_least(k)
        ran = strategy if plan.use_prm else BEAM
        return Choice(requested, tier, reason, plan, plan.levels[-1].k_keep, plan.levels[-1].k_plus, ran)

    def k_plus(self, tier: str, k: int) -> int:
        """Candidates a level at this search tier when k items are asked for: what its cost grows with."""
        k_keep, k_plus = self._levels(TIERS[SEARCHES.index(tier)])[-1]
        return k_plus if k <= k_keep else max(k, k_plus * k // k_keep)

    def between(self, lowest: str | None, highest: str | None) -> tuple[str, ...]:
        """The walk inside the bounds, cheapest first; where no walked tier lies inside, the bound next to the walk.

        Never empty. Of bounds that contradict each other the highest holds; `exact` as a bound leaves the walk's top.

        Raises:
            UnknownTierError: a bound is not a tier of this bundle.
        """
        for bound in (lowest, highest):
            if bound is not None:
                self.check(bound)
        first, last = self.walk[0], self.walk[-1]
        top = _place(highest, EXACT)
        bottom = min(_place(last if lowest == EXACT else lowest, SEARCHES[0]), top)
        inside = tuple(name for name in self.walk if bottom <= _place(name) <= top)
        return inside or (SEARCHES[top if top < _place(first) else bottom],)

    def _levels(self, tier: Tier) -> Widths:
        return self.widths.get(tier.name, ((tier.k_keep, tier.k_plus),) * self.depth)

    def _plan(self, tier: Tier, strategy: str, rule: Rule) -> Plan:
        levels = tuple(Level(*pair) for pair in self._levels(tier))
        plan = Plan(levels, rule=rule, rescore=self.pool)
        return changed(plan, strategy if tier.use_prm else BEAM, self.router)


def common(offers: Sequence[Sequence[str]]) -> list[str]:
    """What all of them offer, in the order of the first."""
    return [name for name in offers[0] if all(name in names for names in offers)]


def _place(name: str | None, default: str = EXACT) -> int:
    """Where a tier stands among all, cheapest first; the exact scan stands last."""
    return (*SEARCHES, EXACT).index(name or default)
