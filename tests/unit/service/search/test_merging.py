"""A trie that was revised is the trie built from scratch, to the bit; the one it came from is left as it was."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.search import merging
from service.search.trie import Trie, build, revised

I32 = NDArray[np.int32]
HUGE = 2**31 - 1
KINDS = (st.integers(0, 3), st.sampled_from([0, 1, HUGE - 1, HUGE]))


def rows(numbers: Sequence[int]) -> I32:
    return np.array(numbers, np.int32)


def same(one: Trie, other: Trie) -> None:
    for name, array in vars(one).items():
        assert array.dtype == getattr(other, name).dtype, name
        assert np.array_equal(array, getattr(other, name)), name


@settings(max_examples=150, deadline=None)
@given(data=st.data(), depth=st.integers(1, 4), kind=st.sampled_from(KINDS), at_once=st.integers(1, 40))
def test_it_is_the_trie_built_from_scratch(
    data: st.DataObject, depth: int, kind: st.SearchStrategy[int], at_once: int
) -> None:
    paths = st.lists(st.tuples(*[kind] * depth), min_size=2, max_size=30, unique=True)
    sids = np.array(data.draw(paths), np.int32)
    everyone = range(1, len(sids) + 1)
    known = data.draw(st.integers(1, len(sids)))
    present = set(data.draw(st.lists(st.integers(1, known), min_size=1, unique=True)))
    trie = build(sids[:known], rows(sorted(present)))
    for _ in range(data.draw(st.integers(1, 3))):
        absent = sorted(set(everyone) - present)
        came = data.draw(st.lists(st.sampled_from(absent), unique=True)) if absent else []
        most = len(present) - (not came)  # somebody stays
        left = data.draw(st.lists(st.sampled_from(sorted(present)), unique=True, max_size=most))
        before, frozen = trie, {name: array.copy() for name, array in vars(trie).items()}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(merging, "AT_ONCE", at_once)
            trie = revised(trie, sids, rows(left), rows(came))
        present = present - set(left) | set(came)
        same(trie, build(sids, rows(sorted(present))))
        same(before, Trie(**frozen))


def test_one_may_take_the_place_of_another() -> None:
    sids = np.array([[0, 1], [0, 2], [3, 1], [0, 1]], np.int32)
    trie = revised(build(sids[:3]), sids, rows([1]), rows([4]))
    same(trie, build(sids, rows([2, 3, 4])))


@pytest.mark.parametrize(
    ("left", "came", "reason"),
    [
        ([1, 2], [], "at least one reachable"),
        ([], [3], "share one semantic ID"),
        ([1], [3, 4], "share one semantic ID"),
    ],
)
def test_what_cannot_be_a_trie_is_refused(left: list[int], came: list[int], reason: str) -> None:
    sids = np.array([[0, 1], [0, 2], [0, 1], [0, 1]], np.int32)
    with pytest.raises(ValueError, match=reason):
        revised(build(sids[:2]), sids, rows(left), rows(came))
