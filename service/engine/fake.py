"""A deterministic engine without a model, for tests and demos: numpy over any trie, no onnxruntime.

Every log-probability and reward is a hash of (history, node), so results are reproducible, differ between histories
and obey every rule a real engine obeys: legality masks, filler rows, ordering, one encoding per history.
"""

import zlib
from collections.abc import Sequence
from copy import copy
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from service.engine.masks import masks
from service.engine.protocol import F16, F32, I32, Beams, Bool, Context, HostTensor, Pruned, Voted
from service.search import choosing
from service.search.csr import Trie
from service.search.legality import Banned

U64 = NDArray[np.uint64]

LOG_PROB_SALT = 0x9E3779B97F4A7C15
REWARD_SALT = 0xD1B54A32D192ED03
CORRECTION_SALT = 0x8CB92BA72F3D8DD7
VOTE_SALT = 0xA24BAED4963EE407


class FakeEngine:
    """Implements service.engine.protocol.Engine over `trie`; `has_scan=False` plays a PRM that cannot scan."""

    model_version: str = "fake@0"
    providers: tuple[str, ...] = ("FakeExecutionProvider",)

    def __init__(
        self,
        trie: Trie,
        *,
        width: int = 8,
        history_limit: int = 20,
        has_scan: bool = True,
        pool: int = 0,
        voters: int = 4,
    ) -> None:
        self.trie = trie
        self.depth = trie.depth
        self.width = width
        self.history_limit = history_limit
        self.has_scan, self.pool, self.voters = has_scan, pool, voters

    def over(self, trie: Trie) -> Self:
        """The same engine over another trie."""
        other = copy(self)
        other.trie, other.depth = trie, trie.depth
        return other

    def encode(self, codes: I32, items: I32, lengths: I32) -> F16:
        """[B,T,D]: position t hashes the items up to t, as a causal encoder would; zero beyond the length."""
        steps, width = items.shape[1], self.width
        memory = np.zeros((len(items), steps, width), np.float16)
        for row, length in enumerate(lengths):
            token = _u64(codes[row].sum(axis=1)) + (_u64(items[row]) << np.uint64(24))
            seen = np.cumsum(_mix(token + (_u64(np.arange(steps)) << np.uint64(48)), LOG_PROB_SALT))
            mixed = _mix(seen[:, None] + _u64(np.arange(width)), REWARD_SALT)
            memory[row, :length] = (_unit(mixed) * 2 - 1)[:length]
        return memory

    def context(self, memory: F16, lengths: I32, banned: Sequence[Banned], history: I32 | None = None) -> Context:
        return Context(memory, lengths, banned, history)

    def take(self, context: Context, rows: Sequence[int]) -> Context:
        chosen = list(rows)
        history = None if context.history is None else context.history[chosen]
        banned = [context.banned[row] for row in chosen]
        return Context(context.memory[chosen], context.lengths[chosen], banned, history)

    def root(self, batch: int) -> Beams:
        return choosing.beams(np.zeros((batch, 1), np.int32), np.zeros((batch, 1), np.float32))

    def beams(self, node: I32, log_prob: F32) -> Beams:
        return choosing.beams(node, log_prob)

    def expand(self, context: Context, beams: Beams, level: int, k_plus: int) -> Beams:
        count = min(k_plus, beams.width * self.trie.branching(level))
        rows = [self._expand_row(context, beams, row, count) for row in range(context.batch)]
        node, log_prob = (np.stack(column) for column in zip(*rows, strict=True))
        return choosing.beams(node, log_prob)

    def prune(
        self,
        context: Context,
        children: Beams,
        level: int,  # noqa: ARG002 - a hash of the node tells levels apart
        k_keep: int,
        weight: float,
    ) -> Pruned:
        node, log_prob = children.node.numpy(), children.log_prob.numpy()
        reward = np.stack([self._rewards(context, row, node[row]) for row in range(context.batch)])
        reward[np.isneginf(log_prob)] = -np.inf
        return choosing.keep(node, log_prob, reward, k_keep, weight)

    def correct(self, context: Context, leaves: Pruned, k_keep: int) -> Pruned:
        """A hash again, of the newest items too; filler stays last."""
        node, log_prob = leaves.kept.node.numpy(), leaves.kept.log_prob.numpy()
        if context.history is None:
            raise RuntimeError("a context without its histories cannot be corrected")
        newest = _u64(context.history.sum(1))[:, None] << np.uint64(32)
        reward = (8 * _unit(_mix(_u64(node) + newest, CORRECTION_SALT)) - 4).astype(np.float32)
        again = choosing.keep(node, log_prob, np.where(np.isneginf(log_prob), -np.inf, reward), k_keep, 0.0)
        order = HostTensor(choosing.pick(leaves.order.numpy(), again.order.numpy()))
        return Pruned(again.kept, order, again.reward, leaves.all_rewards)

    def vote(self, context: Context, children: Beams, level: int) -> Voted:  # noqa: ARG002 - as in prune
        """Votes scatter around the reward and average to it where they are even in number; interest is a hash."""
        node = children.node.numpy()
        reward = np.stack([self._rewards(context, row, node[row]) for row in range(context.batch)])
        apart = [_unit(_mix(_u64(node), VOTE_SALT + pair)) for pair in range((self.voters + 1) // 2)]
        votes = [reward + sign * noise for noise in apart for sign in (1, -1)][: self.voters]
        interest = 8 * _unit(_mix(_u64(node) + _u64(context.lengths)[:, None], VOTE_SALT)) - 4
        return Voted(np.stack(votes, -1).astype(np.float32), interest.astype(np.float32))

    def scan(self, context: Context, k: int) -> tuple[I32, F32] | None:
        if not self.has_scan:
            return None
        leaves = np.arange(self.trie.first_leaf, self.trie.nodes, dtype=np.int32)
        nodes, rewards = [], []
        for row, illegal in enumerate(context.banned):
            reward = self._rewards(context, row, leaves)
            reward[self._illegal(illegal)[leaves]] = -np.inf
            order = np.argsort(-reward, kind="stable")[:k]
            nodes.append(_pad(leaves[order], k, 0))
            rewards.append(_pad(reward[order], k, -np.inf))
        return np.stack(nodes), np.stack(rewards)

    def _illegal(self, illegal: Banned) -> Bool:
        return masks(self.trie, [illegal]).banned

    def _expand_row(self, context: Context, beams: Beams, row: int, count: int) -> tuple[I32, F32]:
        illegal, trie = self._illegal(context.banned[row]), self.trie
        children, log_probs = [], []
        for node, above in zip(beams.node.numpy()[row], beams.log_prob.numpy()[row], strict=True):
            child = np.arange(trie.first_child[node], trie.first_child[node + 1], dtype=np.int32)
            legal = ~illegal[child] & bool(np.isfinite(above))
            children.append(child[legal])
            log_probs.append((above + self._log_probs(context, row, child))[legal])
        child, log_prob = np.concatenate(children), np.concatenate(log_probs)
        order = np.lexsort((child, -log_prob))[:count]
        return _pad(child[order], count, 0), _pad(log_prob[order], count, -np.inf)

    def _log_probs(self, context: Context, row: int, siblings: I32) -> F32:
        """Log-softmax over all children of one node, so that they sum to one whatever is legal."""
        logits = 6 * _unit(_mix(_u64(siblings) + _seed(context, row), LOG_PROB_SALT))
        log_probs: F32 = (logits - np.log(np.exp(logits).sum())).astype(np.float32)
        return log_probs

    def _rewards(self, context: Context, row: int, nodes: I32) -> F32:
        return (8 * _unit(_mix(_u64(nodes) + _seed(context, row), REWARD_SALT)) - 4).astype(np.float32)


def _seed(context: Context, row: int) -> np.uint64:
    """What an encoding says, padding apart: equal for equal histories, cached or fresh."""
    length = int(context.lengths[row])
    values = np.ascontiguousarray(context.memory[row, :length])
    return np.uint64(zlib.crc32(values.tobytes())) << np.uint64(24)


def _mix(values: U64, salt: int) -> U64:
    """The finaliser of splitmix64: every bit of the input moves every bit of the output."""
    mixed = values + np.uint64(salt)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _unit(values: U64) -> NDArray[np.float64]:
    return values.astype(np.float64) / 2.0**64


def _u64(values: NDArray[Any]) -> U64:
    return np.asarray(values).astype(np.uint64)


def _pad(values: NDArray[Any], count: int, filler: float) -> NDArray[Any]:
    padded = np.full(count, filler, values.dtype)
    padded[: len(values)] = values
    return padded
