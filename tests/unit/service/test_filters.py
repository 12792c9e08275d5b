"""A filter against its definition written out over names, and what it says about names nobody has."""

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made import made_catalogue
from made_bundle import BRANDS, CATEGORIES, named_catalogue

from service.errors import UnknownFilterError
from service.filters import Filter, allowed_rows

CATALOGUE = named_catalogue(items=120)
PATHS = ("Beauty", "Beauty > Hair", "Beauty > Hair > Oils", "Beauty > Haircuts", "Garden", "Garden > Tools", "Oils")
some_ids = st.lists(st.sampled_from(CATALOGUE.ids) | st.text(max_size=5), max_size=60)
filters = st.builds(
    Filter,
    st.lists(st.sampled_from(PATHS), max_size=3).map(tuple),
    st.lists(st.sampled_from([name for name in BRANDS if name]), max_size=3).map(tuple),
    st.none() | some_ids.map(tuple),
)


def passes(row: int, wanted: Filter) -> bool:
    """The definition."""
    code, brand = CATALOGUE.category[row - 1], CATALOGUE.brand[row - 1]
    category = CATEGORIES[code].split(" > ") if code >= 0 else []
    in_category = any(category[: len(path.split(" > "))] == path.split(" > ") for path in wanted.category)
    in_brand = brand >= 0 and BRANDS[brand] in wanted.brand
    listed = wanted.allow is None or CATALOGUE.ids[row - 1] in wanted.allow
    return (not wanted.category or in_category) and (not wanted.brand or in_brand) and listed


@given(filters)
def test_exactly_what_passes_is_allowed(wanted: Filter) -> None:
    mask = allowed_rows(CATALOGUE, wanted)
    if mask is None:
        assert wanted == Filter()
        return
    assert mask.shape == (121,)
    assert mask.dtype == np.bool_
    assert set(np.flatnonzero(mask)) == {row for row in range(1, 121) if passes(row, wanted)}


def test_no_filter_is_no_mask_and_an_empty_list_allows_nothing() -> None:
    assert allowed_rows(CATALOGUE, Filter()) is None
    nothing = allowed_rows(CATALOGUE, Filter(allow=()))
    assert nothing is not None
    assert not nothing.any()


@pytest.mark.parametrize(
    ("wanted", "hint"),
    [
        (
            Filter(category=("Beauty > Hairs",)),
            "'Beauty > Hairs' is not a category of .* nearest one is 'Beauty > Hair'",
        ),
        (Filter(category=("Beauty", "garden")), "'garden' is not a category .* nearest one is 'Garden'"),
        (Filter(category=("Hair",)), "'Hair' is not a category"),
        (Filter(category=("",)), "'' is not a category of this catalogue; one that it has is 'Beauty'"),
        (Filter(brand=("",)), "'' is not a brand of this catalogue; one that it has is '.*lmay'"),
        (Filter(brand=("loreal",)), "'loreal' is not a brand .* nearest one is 'L'Oreal Paris'"),
        (Filter(brand=("The Balm",)), "nearest one is 'theBalm'"),
        (Filter(brand=("Almay", "ALMAY")), "'ALMAY' is not a brand .* nearest one is 'almay'"),
    ],
)
def test_a_name_nobody_has_is_answered_by_the_nearest(wanted: Filter, hint: str) -> None:
    with pytest.raises(UnknownFilterError, match=hint) as caught:
        allowed_rows(CATALOGUE, wanted)
    assert caught.value.status == 400
    assert caught.value.detail.endswith(".")


def test_a_catalogue_without_names_says_so() -> None:
    for wanted in (Filter(category=("x",)), Filter(brand=("x",))):
        with pytest.raises(UnknownFilterError, match="it has none"):
            allowed_rows(made_catalogue(), wanted)


def test_a_wrong_name_costs_little_however_long_it_is_and_many_there_are() -> None:
    brands = tuple(f"brand number {number}" for number in range(50_000))
    many = replace(CATALOGUE, brands=brands)
    assert len(many.brand_codes) == 50_000
    started = time.perf_counter()
    with pytest.raises(UnknownFilterError):
        allowed_rows(many, Filter(brand=("brand numbr " * 10_000,)))
    assert time.perf_counter() - started < 2  # 50 ms; asking every name about the whole text takes minutes
