"""The world that all sides of the peer benchmark share, and T5's view of it: tokens and the prefix function."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from loadtest.bench import workload
from loadtest.bench.workers import t5

SMALL = workload.Sizes(items=60, codes=3, codebook=8, history=5, beam=10, k_plus=20)


def test_the_same_sizes_and_seed_give_the_same_world_on_disk_too(tmp_path: Path) -> None:
    world = workload.build(SMALL, 7)
    workload.save(world, tmp_path)
    for other in (workload.build(SMALL, 7), workload.load(tmp_path)):
        assert other.sizes == world.sizes
        np.testing.assert_array_equal(other.sids, world.sids)
        np.testing.assert_array_equal(other.histories, world.histories)
    assert not np.array_equal(workload.build(replace(SMALL, seed=1), 7).sids, world.sids)


@pytest.mark.parametrize("codes", [3, 4])
def test_every_item_has_its_own_path_and_a_history_repeats_nothing(codes: int) -> None:
    world = workload.build(replace(workload.Sizes(), codes=codes), 3)
    assert world.sids.shape == (12_101, codes)
    assert world.sids.dtype == np.int32
    assert len(np.unique(world.sids, axis=0)) == 12_101
    assert world.sids.min() >= 0
    assert world.sids.max() < 256
    assert world.histories.shape == (3, 20)
    assert world.histories.min() >= 1
    assert world.histories.max() <= 12_101
    assert all(len(set(history)) == 20 for history in world.histories.tolist())


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"beam": 0}, "beam must be positive"),
        ({"codes": 1}, "too few"),
        ({"k_plus": 5}, "returned <= beam <= k_plus"),
        ({"history": 61}, "at least as many"),
    ],
)
def test_impossible_sizes_are_refused_in_a_sentence(change: dict[str, int], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        workload.build(replace(SMALL, **change), 1)


def test_the_prefix_function_allows_exactly_the_codes_that_continue_some_item() -> None:
    tokens = t5.tokens_of(workload.build(SMALL, 1).sids, SMALL.codebook)
    allowed = t5.prefix_function(tokens)
    assert len(np.unique(tokens)) == sum(len(np.unique(tokens[:, level])) for level in range(3))
    for depth in range(3):
        for path in tokens:
            sentence = torch.tensor([t5.PAD, *path[:depth]])
            below = tokens[(tokens[:, :depth] == path[:depth]).all(1), depth]
            assert allowed(0, sentence).tolist() == sorted(set(below.tolist()))


def test_a_beam_that_left_the_trie_may_only_be_padded() -> None:
    tokens = t5.tokens_of(np.array([[0, 1], [1, 0]], np.int32), 2)
    allowed = t5.prefix_function(tokens)
    for outside in ([0, 1, 3], [0, 3], [1, 1]):
        assert allowed(0, torch.tensor(outside)).tolist() == [t5.PAD]
