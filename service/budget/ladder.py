"""The ladder of tiers: one dial from a plain narrow beam to an exact scan (design section 5)."""

import difflib
from dataclasses import dataclass
from typing import Literal

from service.errors import StartError, UnknownTierError
from service.search.plan import Plan, Rule

AUTO = "auto"
EXACT = "exact"
Strategy = Literal["guided", "beam"]


@dataclass(frozen=True)
class Tier:
    """A name and its widths: K' prefixes kept of K+ expanded at every level; without the PRM it is a plain beam."""

    name: str
    k_keep: int
    k_plus: int
    use_prm: bool = True


TIERS = (
    Tier("floor", 10, 10, use_prm=False),
    *(Tier(f"k{width}", width, 4 * width) for width in (10, 20, 50, 100, 200, 500, 1000)),
)


@dataclass(frozen=True)
class Choice:
    """What a request will spend. `plan` is None for the exact scan; widths are those that run, grown to hold k."""

    requested: str
    tier: str
    reason: str
    plan: Plan | None
    k_keep: int
    k_plus: int

    @staticmethod
    def nothing(requested: str, reason: str) -> "Choice":
        """No search runs: the tier is `none` and costs nothing."""
        return Choice(requested, "none", reason, None, 0, 0)


@dataclass(frozen=True)
class Ladder:
    """The tiers a bundle offers: `depth` levels, its scoring `rule`, and `exact` where its PRM can scan.

    Raises:
        StartError: the default tier is not on the ladder.
    """

    depth: int
    rule: Rule
    exact: bool
    default: str = "k50"

    def __post_init__(self) -> None:
        if self.default not in self.names:
            raise StartError(f"The default tier {self.default!r} is not one of {', '.join(self.names)}.")

    @property
    def names(self) -> tuple[str, ...]:
        """Every name a request may ask for, cheapest first; `exact` only where the bundle can scan."""
        return (*(tier.name for tier in TIERS), *((EXACT,) if self.exact else ()))

    def choose(self, requested: str, k: int, strategy: Strategy = "guided") -> Choice:
        """The plan for k items at the tier requested; `auto` is the default tier.

        Raises:
            UnknownTierError: no such tier in this bundle, or a plain beam was asked of the exact scan.
        """
        name = self.default if requested == AUTO else requested
        reason = "default" if requested == AUTO else "requested"
        if name == EXACT and self.exact:
            if strategy == "beam":
                raise UnknownTierError("The tier 'exact' ranks with the PRM; it cannot run as strategy 'beam'.")
            return Choice(requested, EXACT, reason, None, k, k)
        tier = self._tier(name)
        plan = self._plan(tier, strategy).at_least(k)
        return Choice(requested, name, reason, plan, plan.levels[-1].k_keep, plan.levels[-1].k_plus)

    def _tier(self, name: str) -> Tier:
        for tier in TIERS:
            if tier.name == name:
                return tier
        near = difflib.get_close_matches(name, (AUTO, *self.names), n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise UnknownTierError(f"This bundle has no such tier; it offers {AUTO}, {', '.join(self.names)}.{hint}")

    def _plan(self, tier: Tier, strategy: Strategy) -> Plan:
        use_prm = tier.use_prm and strategy == "guided"
        k_plus = tier.k_plus if use_prm else tier.k_keep
        return Plan.uniform(self.depth, tier.k_keep, k_plus, use_prm=use_prm, rule=self.rule)
