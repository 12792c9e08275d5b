"""Relations are counts of what stands near and next in the sequences, and inner products of profiles."""

from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import I32, made_sequences, made_text

from models.correction.relations import FOLLOWERS, NEIGHBOURS, NOBODY, WINDOW, Relations, build

ITEMS, WIDTH = 12, 4
Pairs = Counter[tuple[int, int]]
sequence = st.lists(st.integers(1, ITEMS), min_size=1, max_size=25).map(lambda rows: np.array(rows, np.int32))


def tokens_of(items: int, width: int = 7, seed: int = 0) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    tokens = np.random.default_rng(seed).normal(size=(items + 1, width)).astype(np.float32)
    tokens[0] = 0
    return tokens


def built(sequences: list[I32], items: int = ITEMS) -> Relations:
    return build(sequences, made_text(items), tokens_of(items), WIDTH)


def counted(sequences: list[I32]) -> tuple[Pairs, Pairs]:
    """(together, after), one pair of places at a time; together holds both directions."""
    together, after = Pairs(), Pairs()
    for rows in sequences:
        for place, item in enumerate(rows.tolist()):
            later = rows[place + 1 : place + 1 + WINDOW].tolist()
            together.update((item, other) for other in later)
            together.update((other, item) for other in later)
            after.update((item, other) for other in later[:1])
    return together, after


def listed(items: I32, counts: np.ndarray[tuple[int, int], np.dtype[np.float16]]) -> Pairs:
    """What the tables hold. Behind NOBODY nobody comes, and nobody is listed twice."""
    found = Pairs()
    for row, (others, values) in enumerate(zip(items.tolist(), counts.tolist(), strict=True)):
        real = [other for other in others if other != NOBODY]
        assert others == real + [NOBODY] * (len(others) - len(real))
        assert not any(values[len(real) :])
        assert len(set(real)) == len(real)
        found.update({(row, other): value for other, value in zip(real, values, strict=False)})
    return found


@settings(max_examples=60, deadline=None)
@given(st.lists(sequence, min_size=1, max_size=8))
def test_relations_are_the_counts_of_pairs_one_by_one(sequences: list[I32]) -> None:
    relations, (together, after) = built(sequences), counted(sequences)
    assert listed(relations.neighbour, relations.together) == together
    assert listed(relations.follower, relations.after) == after
    assert (relations.neighbour[0] == NOBODY).all(), "row 0 is no item"
    taken = Counter(np.concatenate(sequences).tolist())
    np.testing.assert_allclose(relations.popularity, np.log1p([taken[row] for row in range(ITEMS + 1)]), rtol=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.lists(sequence, min_size=1, max_size=8))
def test_tables_are_as_narrow_as_the_busiest_item_allows(sequences: list[I32]) -> None:
    relations, pairs = built(sequences), counted(sequences)
    for table, counts in ((relations.neighbour, pairs[0]), (relations.follower, pairs[1])):
        most = max(Counter(item for item, _ in counts).values(), default=1)
        assert table.shape == (ITEMS + 1, most)


def test_after_has_a_direction_and_together_has_none() -> None:
    relations = built([np.array([1, 2], np.int32)])
    assert listed(relations.follower, relations.after) == {(1, 2): 1}
    assert listed(relations.neighbour, relations.together) == {(1, 2): 1, (2, 1): 1}


@pytest.mark.parametrize(("gap", "near"), [(WINDOW, True), (WINDOW + 1, False)])
def test_ten_steps_are_near_and_eleven_are_not(gap: int, near: bool) -> None:
    rows = np.full(gap + 1, 5, np.int32)
    rows[0], rows[-1] = 1, 2
    together = listed(built([rows]).neighbour, built([rows]).together)
    assert ((1, 2) in together, (2, 1) in together) == (near, near)


def test_where_there_are_too_many_the_heaviest_are_kept() -> None:
    items = 100
    sequences = [np.random.default_rng(seed).integers(1, items + 1, 40).astype(np.int32) for seed in range(120)]
    relations, (together, after) = built(sequences, items), counted(sequences)
    taken = Counter(np.concatenate(sequences).tolist())
    for most, table, values, counts in (
        (NEIGHBOURS, relations.neighbour, relations.together, together),
        (FOLLOWERS, relations.follower, relations.after, after),
    ):
        kept, of_item = listed(table, values), defaultdict[int, dict[int, float]](dict)
        for (item, other), count in counts.items():
            of_item[item][other] = count / np.sqrt(taken[other] + 1)
        assert table.shape[1] == most < max(map(len, of_item.values()))
        assert kept.items() <= counts.items()
        for item, weights in of_item.items():
            mine = [weight for other, weight in weights.items() if (item, other) in kept]
            others = [weight for other, weight in weights.items() if (item, other) not in kept]
            assert len(mine) == min(most, len(weights))
            assert min(mine) >= max(others, default=0) - 1e-6


@pytest.mark.parametrize(("rank", "width"), [(3, 3), (3, 5), (7, 9)])
def test_profiles_keep_the_inner_products_that_their_width_has_room_for(rank: int, width: int) -> None:
    mixing = np.random.default_rng(1).normal(size=(rank, 7)).astype(np.float32)
    tokens = tokens_of(ITEMS, rank) @ mixing
    relations = build(made_sequences(5, ITEMS), None, tokens, width)
    assert (relations.groups, relations.profiles.shape) == (1, (ITEMS + 1, width))
    unit = tokens / np.linalg.norm(tokens, axis=1, keepdims=True).clip(1e-6)
    profiles = relations.profiles.astype(np.float32)
    np.testing.assert_allclose(profiles @ profiles.T, unit @ unit.T, atol=4e-3)
    assert not relations.profiles[0].any()


def test_narrower_profiles_are_the_best_of_their_width() -> None:
    tokens, width = tokens_of(40, 12), 5
    relations = build(made_sequences(5, 40), None, tokens, width)
    unit = tokens[1:] / np.linalg.norm(tokens[1:], axis=1, keepdims=True)
    profiles = relations.profiles[1:].astype(np.float64)
    largest = np.sort(np.linalg.eigvalsh(unit.T @ unit))[-width:]
    assert (profiles**2).sum() == pytest.approx(largest.sum(), rel=1e-3)


def test_texts_and_tokens_are_groups_of_their_own() -> None:
    text, tokens = made_text(ITEMS, 4), tokens_of(ITEMS, 3)
    relations = build(made_sequences(5, ITEMS), text, tokens, WIDTH)
    assert relations.groups == 2
    assert relations.profiles.shape == (ITEMS + 1, 2 * WIDTH)
    first, second = np.split(relations.profiles.astype(np.float32), 2, axis=1)
    known = text.astype(np.float32) / np.linalg.norm(text.astype(np.float32), axis=1, keepdims=True)
    np.testing.assert_allclose(first[1:] @ first[1:].T, known @ known.T, atol=4e-3)
    assert np.allclose(np.linalg.norm(second[1:], axis=1), 1, atol=4e-3)


def test_what_is_stored_is_all_but_the_number_of_groups() -> None:
    relations = built(made_sequences(5, ITEMS))
    assert set(relations.arrays()) == set(vars(relations)) - {"groups"}
    assert all(len(array) == ITEMS + 1 for array in relations.arrays().values())
