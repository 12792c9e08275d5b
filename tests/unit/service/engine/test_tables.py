"""A table that grows in place: what was handed out stays, what is appended is found where it was said to be."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.engine.tables import SPARE, Room


@given(size=st.integers(0, 40), added=st.lists(st.integers(0, 9), max_size=8))
def test_every_view_keeps_its_rows(size: int, added: list[int]) -> None:
    rng = np.random.default_rng(size)
    wanted = rng.normal(size=(size, 3)).astype(np.float16)
    room = Room(wanted.astype(np.float32))
    views = [(room.rows, wanted)]
    for count in added:
        new = rng.normal(size=(count, 3)).astype(np.float32)
        rows, first = room.append(new)
        assert first == len(wanted)
        wanted = np.concatenate([wanted, new.astype(np.float16)])
        views.append((rows, wanted))
    for rows, then in views:
        assert rows.dtype == np.float16
        assert np.array_equal(rows, then)


def test_nothing_is_copied_while_there_is_room() -> None:
    room = Room(np.zeros((10 * SPARE, 4), np.float32))
    before = room.rows
    after, _ = room.append(np.ones((10, 4)))
    assert np.shares_memory(before, after)
    beyond, _ = room.append(np.ones((1, 4)))
    assert not np.shares_memory(after, beyond)
