"""An item as people are shown it."""

from typing_extensions import TypedDict  # typing's own lacks what pydantic needs before Python 3.12

from service.engine.catalogue import Catalogue


class Shown(TypedDict):
    """What the catalogue knows of an item; what it does not know is None."""

    item_id: str
    title: str | None
    category: str | None
    brand: str | None
    sid: list[int]
    popularity: int


def shown(catalogue: Catalogue, row: int) -> Shown:
    """The item in this row (1-based), on offer or retired."""
    return Shown(
        item_id=catalogue.ids[row - 1],
        title=title_of(catalogue, row),
        category=category_of(catalogue, row),
        brand=brand_of(catalogue, row),
        sid=catalogue.sids[row - 1].tolist(),
        popularity=int(catalogue.popularity[row - 1]),
    )


def title_of(catalogue: Catalogue, row: int) -> str | None:
    return None if catalogue.titles is None else catalogue.titles.of(row)


def category_of(catalogue: Catalogue, row: int) -> str | None:
    return _name(catalogue.categories, int(catalogue.category[row - 1]))


def brand_of(catalogue: Catalogue, row: int) -> str | None:
    return _name(catalogue.brands, int(catalogue.brand[row - 1]))


def _name(names: tuple[str, ...], code: int) -> str | None:
    return (names[code] or None) if code >= 0 else None
