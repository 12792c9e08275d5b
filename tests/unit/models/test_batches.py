"""Every user once an epoch, every target the next item, the newest items kept."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.batches import pad, scoring_batches, training_batches

EXAMPLES = settings(max_examples=50, deadline=None)
some_lengths = st.lists(st.integers(0, 9), max_size=20)


def users(lengths: list[int], first: int = 1) -> list[NDArray[np.int32]]:
    """Sequences of these lengths, in which no item occurs twice, so that each is known by its items."""
    ends = np.cumsum([first, *lengths])
    return [np.arange(start, start + n, dtype=np.int32) for start, n in zip(ends, lengths, strict=False)]


@EXAMPLES
@given(lengths=some_lengths, length=st.integers(1, 9))
def test_padding_keeps_the_newest_on_the_left(lengths: list[int], length: int) -> None:
    sequences = users(lengths)
    padded = pad(sequences, length)
    assert padded.shape == (len(lengths), max((min(n, length) for n in lengths), default=0))
    for row, sequence in zip(padded, sequences, strict=True):
        assert row[row > 0].tolist() == sequence[-length:].tolist()
        assert not row[len(sequence[-length:]) :].any()


@EXAMPLES
@given(lengths=some_lengths, size=st.integers(1, 6), history=st.integers(1, 7), seed=st.integers(0, 99))
def test_an_epoch_sees_every_usable_user_once(lengths: list[int], size: int, history: int, seed: int) -> None:
    sequences = users(lengths)
    seen: list[list[int]] = []
    for items, targets in training_batches(sequences, size, history, np.random.default_rng(seed)):
        assert items.shape == targets.shape
        assert 1 <= len(items) <= size
        assert items.shape[1] <= history
        for row, goal in zip(items.tolist(), targets.tolist(), strict=True):
            count = sum(target > 0 for target in goal)
            assert goal[:count] == [item + 1 for item in row[:count]]
            assert not any(row[count:] + goal[count:])
            seen.append([row[0], *goal[:count]])
    wanted = [sequence[-(history + 1) :].tolist() for sequence in sequences if len(sequence) > 1]
    assert sorted(seen) == sorted(wanted)


def test_users_of_like_length_go_together_in_an_order_of_the_seed() -> None:
    sequences = users([2, 8] * 10)

    def order(seed: int) -> list[list[int]]:
        batches = training_batches(sequences, 5, 20, np.random.default_rng(seed))
        return [targets[:, 0].tolist() for _, targets in batches]

    widths = [
        targets.shape[1] for _, targets in training_batches(sequences, 5, 20, np.random.default_rng(1))
    ]  # two batches of either length
    assert sorted(widths) == [1, 1, 7, 7]
    assert order(1) == order(1)
    assert order(1) != order(2)


@EXAMPLES
@given(lengths=st.lists(st.integers(1, 9), max_size=20), size=st.integers(1, 6), history=st.integers(1, 7))
def test_scoring_covers_every_history_once(lengths: list[int], size: int, history: int) -> None:
    sequences = users(lengths)
    covered: list[int] = []
    for chosen, items, real in scoring_batches(sequences, size, history):
        assert len(chosen) == len(items) == len(real) <= size
        for index, row, length in zip(chosen.tolist(), items.tolist(), real.tolist(), strict=True):
            assert row[:length] == sequences[index][-history:].tolist()
            assert not any(row[length:])
            covered.append(index)
    assert sorted(covered) == list(range(len(lengths)))
