"""Bundles, items and prefixes in the words of service.api.schemas.catalogue."""

from collections.abc import Sequence
from typing import Any

from service.api.schemas.catalogue import BundleOffered, TierShown
from service.budget.ladder import EXACT
from service.items import rows_of
from service.lookup.prefixes import Prefix, prefix
from service.lookup.shown import shown
from service.lookup.words import Words
from service.served import Served

LISTED = 10  # items that widths are told for

Json = dict[str, Any]


def bundle_shown(served: Served) -> BundleOffered:
    ladder, catalogue = served.ladder, served.catalogue
    return BundleOffered(
        slot=served.slot,
        name=served.name,
        version=served.version,
        items=len(catalogue.by_popularity),
        depth=served.trie.depth,
        codebook=served.bundle.manifest.codebook if served.bundle else int(served.trie.code.max()) + 1,
        titles=catalogue.titles is not None,
        tiers=[_tier(served, name) for name in ladder.names],
        walk=list(ladder.walk),
        strategies=list(ladder.strategies),
    )


def items_by_words(served: Served, words: Words, query: str, limit: int) -> Json:
    found = words.find(query, limit)
    return {"items": [shown(served.catalogue, row) for row in found.rows], "total": found.total}


def items_by_id(served: Served, ids: Sequence[str]) -> Json:
    rows = rows_of(served.catalogue, tuple(dict.fromkeys(ids)))
    return {"items": [shown(served.catalogue, row) for row in rows], "total": len(rows)}


def prefixes_shown(served: Served, sids: Sequence[str]) -> Json:
    asked = (tuple(map(int, sid.split("."))) for sid in dict.fromkeys(sids))
    found = (prefix(served.catalogue, served.trie, sid) for sid in asked)
    return {"prefixes": [_prefix(served, one) for one in found if one is not None]}


def _prefix(served: Served, one: Prefix) -> Json:
    return {
        "sid": one.sid,
        "items": one.items,
        "categories": [{"name": name, "share": round(share, 4)} for name, share in one.categories],
        "examples": [shown(served.catalogue, row) for row in one.examples],
    }


def _tier(served: Served, name: str) -> TierShown:
    if name == EXACT:
        every = len(served.catalogue.by_popularity)
        return TierShown(name=name, k_keep=every, k_plus=every, ms=None)
    chosen, costs = served.ladder.choice(name, name, "listed", LISTED), served.controller.costs
    seconds = costs.level1(1) + costs.estimate(name, served.ladder.k_plus(name, LISTED), 1)
    return TierShown(
        name=name, k_keep=chosen.k_keep, k_plus=chosen.k_plus, ms=round(1000 * seconds, 3) if seconds else None
    )
