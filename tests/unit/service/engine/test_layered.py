"""Layered ids and rows answer as the plain tuple and dict of the same entries would."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.engine.layered import LayeredIds, LayeredRows, grown_ids, grown_rows

layers = st.lists(st.lists(st.text(max_size=3), max_size=4), min_size=1, max_size=5)


@given(layers=layers, start=st.integers(-12, 12), stop=st.integers(-12, 12))
def test_ids_are_those_of_all_layers_in_order(layers: list[list[str]], start: int, stop: int) -> None:
    ids, plain = tuple(layers[0]), tuple(layers[0])
    for more in layers[1:]:
        ids, plain = grown_ids(ids, more), (*plain, *more)  # type: ignore[assignment]
    assert ids == plain
    assert plain == ids
    assert (len(ids), list(ids), hash(ids)) == (len(plain), list(plain), hash(plain))
    assert ids[start:stop] == plain[start:stop]
    for at in range(-len(plain), len(plain)):
        assert ids[at] == plain[at]
    for at in (len(plain), -len(plain) - 1):
        with pytest.raises(IndexError):
            ids[at]
    assert ids != (*plain, "one more")
    other: object = list(plain)
    assert ids != other


@given(layers=layers, strangers=st.lists(st.text(max_size=3)))
def test_rows_are_those_of_all_layers(layers: list[list[str]], strangers: list[str]) -> None:
    names = list(dict.fromkeys(name for layer in layers for name in layer))
    plain = {name: row for row, name in enumerate(names, 1)}
    rows = grown_rows({}, {})
    for first in range(0, len(names), 2):
        rows = grown_rows(rows, {name: plain[name] for name in names[first : first + 2]})
    assert rows == plain
    assert (len(rows), list(rows)) == (len(plain), names)
    for name in [*names, *strangers]:
        assert rows.get(name) == plain.get(name)
        assert rows.get(name, 0) == plain.get(name, 0)
        assert (name in rows) == (name in plain)
    with pytest.raises(KeyError):
        rows["longer than any"]


def test_what_was_there_is_shared_and_stays_as_it_was() -> None:
    base_ids, base_rows = ("a", "b"), {"a": 1, "b": 2}
    ids, rows = grown_ids(base_ids, ["c"]), grown_rows(base_rows, {"c": 3})
    more_ids, more_rows = grown_ids(ids, ["d"]), grown_rows(rows, {"d": 4})
    assert isinstance(more_ids, LayeredIds)
    assert isinstance(more_rows, LayeredRows)
    assert more_ids.base is base_ids
    assert more_rows.base is base_rows
    assert (list(ids), dict(rows)) == (["a", "b", "c"], {"a": 1, "b": 2, "c": 3})
    assert grown_ids(ids, []) is ids
    assert grown_rows(rows, {}) is rows
