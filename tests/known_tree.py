"""An engine whose rewards are the log-probabilities of a known tree, and what is compared between searches."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from random_tries import Case

from service.engine.fake import FakeEngine
from service.engine.protocol import Context
from service.search.guided import Found
from service.search.spent import spent
from service.search.trie import Trie

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]


class KnowingEngine(FakeEngine):
    """The reward of a prefix is the log of the probability that the next item lies below it, and 3 · its depth: a
    constant of the level that a search must not need.
    """

    def shares(self, context: Context, row: int) -> F64:
        """[N]: of every node, of a distribution over all items."""
        trie = self.trie
        leaves = np.arange(trie.first_leaf, trie.nodes, dtype=np.int32)
        share: F64 = np.zeros(trie.nodes)
        share[leaves] = np.exp(super()._rewards(context, row, leaves).astype(np.float64))
        for node in reversed(range(1, trie.nodes)):
            share[trie.parent[node]] += share[node]
        share /= share[0]
        return share

    def _rewards(self, context: Context, row: int, nodes: I32) -> F32:
        depth = np.searchsorted(self.trie.level_start, nodes, side="right")
        reward: F32 = (np.log(self.shares(context, row)[nodes]) + 3.0 * depth).astype(np.float32)
        return reward


def same(one: Found, row: int, other: Found, place: int) -> None:
    """The same list and the same work; only filler, of which a batch may have more, is left out."""
    real, also = np.isfinite(one.log_prob[row]), np.isfinite(other.log_prob[place])
    assert np.array_equal(one.node[row, real], other.node[place, also])
    assert np.allclose(one.score[row, real], other.score[place, also], atol=1e-6)
    for left, right in zip(one.steps, other.steps, strict=True):
        was, now = spent(left)[row], spent(right)[place]
        assert replace(was, entropy=None) == replace(now, entropy=None)
        assert was.entropy == pytest.approx(now.entropy, abs=1e-5)


def assert_good_lists(case: Case, found: Found, k: int) -> None:
    """Legal items, each once, in order, as many as there are up to k; and their ways are among the steps."""
    trie = case.engine.trie
    for row, legal in enumerate(case.legal):
        listed = case.rows(found, row)
        assert set(listed) <= legal
        assert len(listed) == len(set(listed)) == min(k, len(legal))
        assert (np.diff(found.score[row, : len(listed)]) <= 0).all()
        assert not np.isfinite(found.log_prob[row, len(listed) :]).any()
        for step in found.steps:
            way = trie.path(found.node[row, : len(listed)])[:, step.level]
            assert set(way.tolist()) <= nodes(step.children.node.numpy()[row], step.children.log_prob.numpy()[row])
            assert set(way.tolist()) <= nodes(step.kept.node.numpy()[row], step.kept.log_prob.numpy()[row])
            assert_ordered(trie, step.children.node.numpy()[row], step.children.log_prob.numpy()[row])


def nodes(node: I32, log_prob: F32) -> set[int]:
    """Those that are no filler."""
    real: set[int] = set(node[np.isfinite(log_prob)].tolist())
    return real


def assert_ordered(trie: Trie, node: I32, log_prob: F32) -> None:
    """Prefixes of one depth, each once, most probable first, filler last."""
    real = int(np.isfinite(log_prob).sum())
    assert np.isfinite(log_prob[:real]).all()
    assert (np.diff(log_prob[:real]) <= 0).all()
    assert len(np.unique(node[:real])) == real
    assert len(np.unique(np.searchsorted(trie.level_start, node[:real], side="right"))) <= 1
