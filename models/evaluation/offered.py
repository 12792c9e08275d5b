"""Methods as the service offers them: a tier with the widths that the bundle tuned for it."""

from models.evaluation.ranking import Method, rule_of
from models.manifest import Manifest
from models.spending import LISTED
from service.budget.ladder import Ladder

DEFAULT_TIER = "k50"


def tier(manifest: Manifest, name: str = DEFAULT_TIER) -> Method:
    """The search of one tier for LISTED items, called by the tier's name.

    Raises:
        UnknownTierError: the ladder has no such tier.
    """
    widths = manifest.auto.widths if manifest.auto else {}
    pool = manifest.correction.pool if manifest.correction else 0
    ladder = Ladder(manifest.depth, rule_of(manifest.scoring), manifest.exact, widths=widths, pool=pool)
    return Method(name, ladder.choice(name, name, "requested", LISTED).plan)
