"""Full rankings against sorting user by user."""

import numpy as np
import pytest
from numpy.typing import NDArray

from models.full_ranking import batches, evaluate_scores, popularity
from models.metrics import I32

ITEMS, USERS, LIMIT = 70, 40, 5


@pytest.fixture
def histories() -> list[I32]:
    rng = np.random.default_rng(3)
    return [rng.permutation(ITEMS // 2)[: rng.integers(1, 12)].astype(np.int32) + 1 for _ in range(USERS)]


@pytest.fixture
def targets() -> I32:
    return np.random.default_rng(4).integers(ITEMS // 2 + 1, ITEMS + 1, USERS).astype(np.int32)


def coarse(histories: list[I32]) -> NDArray[np.float32]:
    """Few distinct scores that depend on what is shown, so that ties and truncation both matter."""
    scores = [(np.arange(ITEMS) * int(history.sum()) + len(history)) % 13 for history in histories]
    return np.stack(scores).astype(np.float32)


def test_ranks_agree_with_sorting_user_by_user(histories: list[I32], targets: I32) -> None:
    result = evaluate_scores(coarse, histories, targets, name="scores", batch=9, history_limit=LIMIT, timed=3)
    assert (result.width, result.paths, result.ms.shape) == (ITEMS, None, (3,))
    for user, (history, target) in enumerate(zip(histories, targets.tolist(), strict=True)):
        score = coarse([history[-LIMIT:]])[0]
        left = [row for row in range(1, ITEMS + 1) if row not in history]
        order = sorted(left, key=lambda row: (-score[row - 1], row))
        assert result.rank_by_order[user] == order.index(target) + 1
        assert result.rank[user] in [p for p, row in enumerate(order, 1) if score[row - 1] == score[target - 1]]


def test_ties_are_shuffled_by_the_seed_and_by_nothing_else(histories: list[I32], targets: I32) -> None:
    def ranks(seed: int, batch: int) -> I32:
        return evaluate_scores(coarse, histories, targets, name="s", seed=seed, batch=batch, timed=0).rank

    assert np.array_equal(ranks(0, 7), ranks(0, 40))
    assert not np.array_equal(ranks(0, 7), ranks(1, 7))


def test_popularity_ranks_by_count(histories: list[I32], targets: I32) -> None:
    count = np.random.default_rng(1).permutation(ITEMS)
    result = evaluate_scores(popularity(count), histories, targets, name="popularity", timed=0)
    for history, target, rank in zip(histories, targets, result.rank, strict=True):
        above = {row for row in range(1, ITEMS + 1) if count[row - 1] > count[target - 1]} - set(history.tolist())
        assert rank == len(above) + 1


def test_scores_that_a_model_hands_out_twice_are_not_written_to(histories: list[I32], targets: I32) -> None:
    shared = np.random.default_rng(1).random((1, ITEMS)).astype(np.float32)
    before = shared.copy()
    evaluate_scores(lambda _: shared, histories, targets, name="shared", batch=1)
    np.testing.assert_array_equal(shared, before)


def test_batches_hold_every_user_once_and_users_of_like_length(histories: list[I32]) -> None:
    order = np.concatenate(list(batches(histories, 7)))
    assert sorted(order.tolist()) == list(range(USERS))
    lengths = [len(histories[user]) for user in order]
    assert lengths == sorted(lengths)


def test_targets_and_histories_must_pair_up(histories: list[I32], targets: I32) -> None:
    with pytest.raises(ValueError, match="one target each"):
        evaluate_scores(coarse, histories, targets[1:], name="scores")


@pytest.mark.parametrize(
    ("history", "target", "limit", "message"),
    [
        ([], 1, None, "without history"),
        ([0, 2], 1, None, "must lie in 1"),
        ([2], ITEMS + 1, None, "must lie in 1"),
        ([ITEMS + 1], 1, None, "must lie in 1"),
        ([2], 1, 0, "history limit"),
    ],
)
def test_bad_users_are_refused_in_one_sentence(
    history: list[int], target: int, limit: int | None, message: str
) -> None:
    users, wanted = [np.array(history, np.int32)], np.array([target], np.int32)
    with pytest.raises(ValueError, match=message):
        evaluate_scores(popularity(np.ones(ITEMS, np.int32)), users, wanted, name="p", history_limit=limit)
