"""What operators send and get."""

from typing import Annotated

from pydantic import Field

from service.api.schemas.common import LONGEST_ID, MAX_IDS, ItemId, ItemIds, TierName, Wire, example
from service.engine.revision import Change, NewItem

Name = Annotated[str, Field(min_length=1, max_length=LONGEST_ID)]
Count = Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)]
Code = Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)]


class BundleShown(Wire):
    """What a slot serves; `former` versions are those that rollback returns to, newest last."""

    model_config = example(
        slot="beauty",
        name="beauty",
        version="1.0.0",
        items=12101,
        path="/app/models/bundles/beauty",
        former=[],
        tiers=["floor", "k10", "k20", "k50", "k100", "k200", "k500", "k1000", "exact"],
        walk=["floor", "k10", "k20", "k50"],
    )

    slot: str
    name: str
    version: str
    items: int
    path: str | None
    former: list[str]
    tiers: list[str]
    walk: list[str]


class ReloadRequest(Wire):
    """Which folder to read; absent: the one the slot was read from."""

    model_config = example(path="/app/models/bundles/beauty")

    path: str | None = Field(
        default=None, min_length=1, max_length=4096, description="A folder beside one of the configured bundles."
    )


class NewItemRequest(Wire):
    """An item to add: at `sid`, or beside the item `like`. A retired one needs neither and comes back."""

    item_id: ItemId
    sid: list[Code] | None = Field(default=None, min_length=1, max_length=16)
    like: ItemId | None = None
    category: Name | None = None
    brand: Name | None = None
    popularity: Count | None = None

    def new_item(self) -> NewItem:
        sid = None if self.sid is None else tuple(self.sid)
        return NewItem(self.item_id, sid, self.like, self.category, self.brand, self.popularity)


class CatalogueRequest(Wire):
    """Items to retire, to add, and counts of interactions to set, in this order."""

    model_config = example(
        add=[{"item_id": "B00NEW0001", "like": "B0002JHI1I", "popularity": 0}],
        retire=["B000142FVW"],
        popularity={"B0002JHI1I": 120},
    )

    add: list[NewItemRequest] = Field(default=[], max_length=MAX_IDS)
    retire: ItemIds = Field(default=[])
    popularity: dict[ItemId, Count] = Field(default={}, max_length=MAX_IDS)

    def change(self) -> Change:
        """The same, transport apart."""
        return Change(tuple(item.new_item() for item in self.add), tuple(self.retire), dict(self.popularity))


class FreezeRequest(Wire):
    """The tier that every `auto` request gets from now on."""

    model_config = example(tier="k10")

    tier: TierName


class BudgetShown(Wire):
    """`frozen`: the tier all `auto` requests get, if any; `ceiling`: the best tier that load allows at the moment."""

    slot: str
    walk: list[str]
    ceiling: str
    frozen: str | None


class BudgetsShown(Wire):
    """The budget of every bundle."""

    model_config = example(
        bundles=[{"slot": "beauty", "walk": ["floor", "k10", "k20", "k50"], "ceiling": "k50", "frozen": None}]
    )

    bundles: list[BudgetShown]


class Drained(Wire):
    """Not ready for new traffic, still answering."""

    model_config = example(draining=True)

    draining: bool
