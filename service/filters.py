"""Which items a request's filter leaves: by category, brand or an allow list, as a mask over item rows."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from service.engine.catalogue import Catalogue
from service.errors import UnknownFilterError

Bool = NDArray[np.bool_]
I32 = NDArray[np.int32]

LOOKED_AT, LONGEST = 1000, 60  # names, and characters of a wrong one, that a hint is worth


@dataclass(frozen=True)
class Filter:
    """Any of the categories and any of the brands and any of the allowed ids; an empty kind does not restrict.

    A category stands for itself and all below it: "Beauty > Hair Care" covers "Beauty > Hair Care > Shampoos".
    `allow` None does not restrict either, an empty list allows nothing; ids that are not in the catalogue are skipped.
    """

    category: tuple[str, ...] = ()
    brand: tuple[str, ...] = ()
    allow: tuple[str, ...] | None = None


def allowed_rows(catalogue: Catalogue, wanted: Filter) -> Bool | None:
    """Mask [I+1] of the rows (1-based, row 0 False) that pass; None where the filter does not restrict.

    Raises:
        UnknownFilterError: the catalogue has no such category or brand; the sentence names the nearest one.
    """
    masks = []
    if wanted.category:
        codes = _codes("category", wanted.category, catalogue.category_codes)
        masks.append(_rows_with(catalogue.category, codes, len(catalogue.categories)))
    if wanted.brand:
        codes = _codes("brand", wanted.brand, catalogue.brand_codes)
        masks.append(_rows_with(catalogue.brand, codes, len(catalogue.brands)))
    if wanted.allow is not None:
        masks.append(_listed(catalogue, wanted.allow))
    return np.logical_and.reduce(masks) if masks else None


def _codes(kind: str, wanted: Iterable[str], known: Mapping[str, list[int]]) -> list[int]:
    unknown = next((name for name in wanted if name not in known), None)
    if unknown is not None:
        raise UnknownFilterError(f"'{unknown}' is not a {kind} of this catalogue; {_hint(unknown, known)}.")
    return [code for name in wanted for code in known[name]]


def _hint(name: str, known: Iterable[str]) -> str:
    """The nearest known name. Looking for it must not become work that a caller can order."""
    folded = {other.casefold(): other for other in islice(known, LOOKED_AT)}
    nearest = difflib.get_close_matches(name[:LONGEST].casefold(), folded, n=1)
    if nearest:
        return f"the nearest one is '{folded[nearest[0]]}'"
    return f"one that it has is '{next(iter(folded.values()))}'" if folded else "it has none"


def _rows_with(codes: I32, wanted: list[int], names: int) -> Bool:
    chosen = np.zeros(names + 1, np.bool_)  # the last entry is what code -1, no name, finds
    chosen[wanted] = True
    return np.concatenate([[False], chosen.take(codes)])


def _listed(catalogue: Catalogue, ids: Iterable[str]) -> Bool:
    mask = np.zeros(len(catalogue.ids) + 1, np.bool_)
    mask[[row for row in map(catalogue.rows.get, ids) if row is not None]] = True
    return mask
