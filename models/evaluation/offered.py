"""Methods as the service offers them: a tier with the widths that the bundle tuned for it."""

from models.evaluation.ranking import Method, methods_default, rule_of
from models.manifest import Manifest
from models.spending import LISTED
from service.budget.ladder import Ladder
from service.search.plan import Plan

DEFAULT_TIER = "k50"
CORRECTED = ((10, 40), (50, 200), (100, 400), (200, 800))  # K'/K+ at which a correction is judged


def methods_of(manifest: Manifest) -> list[Method]:
    """Everything a bundle can be judged by: methods_default, its default tier, and what its correction adds."""
    rule = rule_of(manifest.scoring)
    own = [*methods_default(manifest.depth, rule=rule, exact=manifest.exact), tier(manifest)]
    if manifest.correction is None:
        return own
    pool = manifest.correction.pool
    widths = {f"corrected {keep}/{plus}": (keep, plus) for keep, plus in CORRECTED}
    plans = {name: Plan.uniform(manifest.depth, *width, rule=rule, rescore=pool) for name, width in widths.items()}
    corrected = [Method(name, plan) for name, plan in plans.items()]
    return [*own, *corrected, *([Method("corrected exact", None, pool)] if manifest.exact else [])]


def tier(manifest: Manifest, name: str = DEFAULT_TIER) -> Method:
    """The search of one tier for LISTED items, called by the tier's name.

    Raises:
        UnknownTierError: the ladder has no such tier.
    """
    widths = manifest.auto.widths if manifest.auto else {}
    pool = manifest.correction.pool if manifest.correction else 0
    ladder = Ladder(manifest.depth, rule_of(manifest.scoring), manifest.exact, widths=widths, pool=pool)
    return Method(name, ladder.choice(name, name, "requested", LISTED).plan)
