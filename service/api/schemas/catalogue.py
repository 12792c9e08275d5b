"""What is told of the bundles and their items, and how it is asked for."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field
from pydantic_core import PydanticCustomError

from service.api.schemas.common import LONGEST_ID, ItemId, Wire, example
from service.lookup.shown import Shown

MOST_IDS = 200
LONGEST_QUERY = 200
MOST_SHOWN = 100
_SID = re.compile(r"^[0-9]{1,9}(\.[0-9]{1,9}){0,31}$")
_TEXT = re.compile(r"^[^\x00-\x1f\x7f-\x9f]*$")  # no control character


def _readable(text: str) -> str:
    if not _TEXT.fullmatch(text):
        raise PydanticCustomError("control_character", "Control characters are not searched for")
    return text


def _dotted(text: str) -> str:
    if not _SID.fullmatch(text):
        raise PydanticCustomError("prefix", "Codes with dots between them are needed, such as 121.118")
    return text


_SHAMPOO = {
    "item_id": "B0001EKVCU",
    "title": None,
    "category": "Beauty > Hair Care > Shampoos",
    "brand": "Nioxin",
    "sid": [121, 118, 59],
    "popularity": 31,
}

Slot = Annotated[
    str | None,
    Field(
        min_length=1,
        max_length=LONGEST_ID,
        description="Slot of the bundle; absent: the default one.",
        examples=["beauty"],
    ),
]
Prefix = Annotated[
    str, Field(max_length=LONGEST_ID, json_schema_extra={"pattern": _SID.pattern}), AfterValidator(_dotted)
]


class ItemsQuery(Wire):
    """By words (`q`, `limit`) or by ids."""

    q: Annotated[str, AfterValidator(_readable)] = Field(
        default="",
        max_length=LONGEST_QUERY,
        json_schema_extra={"pattern": _TEXT.pattern},
        description="Words, each of which must occur in title, id, category or brand; none: the most popular items.",
        examples=["hair shampoo"],
    )
    id: list[ItemId] | None = Field(
        default=None,
        max_length=MOST_IDS,
        description="These items instead, in this order, each once; unknown ids are left out.",
        examples=[["B0001EKVCU"]],
    )
    limit: int = Field(default=20, ge=1, le=MOST_SHOWN, description="Most items found by words.", examples=[20])
    bundle: Slot = None


class SamplesQuery(Wire):
    limit: int = Field(default=12, ge=1, le=MOST_SHOWN, description="Most histories.", examples=[12])
    bundle: Slot = None


class PrefixesQuery(Wire):
    sid: list[Prefix] = Field(
        default=[],
        max_length=MOST_IDS,
        description="Codes from the first on, with dots between them; unknown prefixes are left out.",
        examples=[["121", "121.118"]],
    )
    bundle: Slot = None


class TierShown(BaseModel):
    """A tier for ten items: prefixes kept and expanded at the last level; `exact` looks at every item.

    `ms`: what it takes on the device now, for a request that is alone and whose history is encoded; null where that is
    not known.
    """

    name: str
    k_keep: int
    k_plus: int
    ms: float | None


class BundleOffered(BaseModel):
    """One bundle: its items on offer, whether any has a title, the tiers and strategies it offers, what auto walks."""

    slot: str
    name: str
    version: str
    items: int
    depth: int
    codebook: int
    titles: bool
    tiers: list[TierShown]
    walk: list[str]
    strategies: list[str]


class Defaults(BaseModel):
    """What a request gets that names none."""

    bundle: str
    tier: str
    strategy: str


class CatalogueShown(BaseModel):
    """The bundles, the defaults, the header that names a bucket, and the longest a request may take."""

    model_config = example(
        bundles=[
            {
                "slot": "beauty",
                "name": "beauty",
                "version": "2.1.0",
                "items": 12101,
                "depth": 3,
                "codebook": 256,
                "titles": False,
                "tiers": [{"name": "k50", "k_keep": 50, "k_plus": 200, "ms": 2.6}],
                "walk": ["k10", "k20", "k50"],
                "strategies": ["guided", "beam"],
            }
        ],
        default={"bundle": "beauty", "tier": "auto", "strategy": "guided"},
        header="X-AB-Bucket",
        deadline_ms=2000.0,
    )

    bundles: list[BundleOffered]
    default: Defaults
    header: str
    deadline_ms: float


class ItemsShown(BaseModel):
    """Items, best first or as asked; `total`: how many fit.

    By words the 200,000 most popular items are searched and counted; an item beyond them is found by its whole id.
    """

    model_config = example(items=[_SHAMPOO], total=1)

    items: list[Shown]
    total: int


class SamplesShown(BaseModel):
    """Made histories of item ids, oldest first: nobody's own."""

    model_config = example(samples=[["B001NM85Q0", "B006ZUNMLS", "B005UBN5AQ"]])

    samples: list[list[str]]


class Share(BaseModel):
    """A category, and its share of the items below a prefix."""

    name: str
    share: float


class PrefixShown(BaseModel):
    """Items below a prefix, the commonest categories and most popular items among them.

    Of a prefix with more than 2,048 items, categories and examples are those of a sample.
    """

    sid: list[int]
    items: int
    categories: list[Share]
    examples: list[Shown]


class PrefixesShown(BaseModel):
    model_config = example(
        prefixes=[
            {
                "sid": [121, 118],
                "items": 7,
                "categories": [{"name": "Beauty > Hair Care > Shampoos", "share": 0.71}],
                "examples": [_SHAMPOO],
            }
        ]
    )

    prefixes: list[PrefixShown]
