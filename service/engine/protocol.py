"""What search needs from a model: a few calls whose tensors stay where the engine put them (design section 3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from service.search.csr import Trie
from service.search.legality import Banned

I32 = NDArray[np.int32]
F16 = NDArray[np.float16]
F32 = NDArray[np.float32]
Bool = NDArray[np.bool_]


class Tensor(Protocol):
    """A tensor on the engine's device; only `numpy()` brings it to the host."""

    def numpy(self) -> NDArray[Any]: ...


@dataclass(frozen=True)
class HostTensor:
    """An array on the host that takes a tensor's place."""

    array: NDArray[Any]

    def numpy(self) -> NDArray[Any]:
        return self.array


@dataclass
class Context:
    """A batch of encodings to be searched: memory f16 [B,T,D], lengths int32 [B], what each request may not be shown.

    history: int32 [B,L] item rows, newest first, 0 = unknown or padding; only a correction asks for them.
    `opened`: the engine's own view of it, made when the first level is asked for.
    """

    memory: F16
    lengths: I32
    banned: Sequence[Banned]
    history: I32 | None = None
    opened: Any = None

    @property
    def batch(self) -> int:
        return len(self.lengths)


@dataclass(frozen=True)
class Beams:
    """Prefixes of one depth as trie nodes: node int32 [B,K], log_prob f32 [B,K].

    A row with log_prob = -inf is filler: there were fewer legal prefixes than asked for.
    """

    node: Tensor
    log_prob: Tensor
    width: int


@dataclass(frozen=True)
class Pruned:
    """The children the PRM kept: order int32 [B,K'] into the children, reward f32 [B,K'], all_rewards f32 [B,C].

    count: int32 [B,K'] copies of each where they were resampled (service.search.strategies.smc).
    """

    kept: Beams
    order: Tensor
    reward: Tensor
    all_rewards: Tensor
    count: Tensor | None = None


@dataclass(frozen=True)
class Voted:
    """What further heads of the PRM say of children: votes f32 [B,C,M] of M bootstrap heads, each a reward, and the
    reward of the predicted-interest query, f32 [B,C].
    """

    votes: F32
    interest: F32


class Engine(Protocol):
    """A generator and a PRM over one trie. Calls are made from one thread, the one that owns the device."""

    depth: int
    model_version: str
    providers: tuple[str, ...]
    pool: int  # leaves that its correction ranks anew, 0 = it has none
    voters: int  # bootstrap heads, 0 = it has none

    @property
    def trie(self) -> Trie:
        """The valid prefixes it searches."""
        ...

    def encode(self, codes: I32, items: I32, lengths: I32) -> F16:
        """Encode histories: codes [B,T,d], items [B,T], lengths [B] → memory [B,T,D] on the host, for the cache."""
        ...

    def context(self, memory: F16, lengths: I32, banned: Sequence[Banned], history: I32 | None = None) -> Context:
        """A batch of encodings [B,T,D], what each of its requests may not be shown, and its histories (see Context)."""
        ...

    def take(self, context: Context, rows: Sequence[int]) -> Context:
        """These requests of the batch, in this order, without doing again what was done for them."""
        ...

    def root(self, batch: int) -> Beams:
        """The beam every search starts from: the trie's root with log-probability 0, one row a request."""
        ...

    def beams(self, node: I32, log_prob: F32) -> Beams:
        """Prefixes chosen on the host: node [B,K], log_prob [B,K]."""
        ...

    def expand(self, context: Context, beams: Beams, level: int, k_plus: int) -> Beams:
        """The k_plus most probable legal children at `level` (0-based), best first; PROMISE section 3.3."""
        ...

    def prune(self, context: Context, children: Beams, level: int, k_keep: int, weight: float) -> Pruned:
        """The k_keep children of highest reward + weight · log-probability."""
        ...

    def correct(self, context: Context, leaves: Pruned, k_keep: int) -> Pruned:
        """The k_keep best of these leaves, given best first, by the corrected reward; only where `pool` > 0."""
        ...

    def vote(self, context: Context, children: Beams, level: int) -> Voted:
        """What bootstrap heads and interest query say of children at `level`, on the host; only where `voters` > 0."""
        ...

    def scan(self, context: Context, k: int) -> tuple[I32, F32] | None:
        """Exact ranking of all leaves: nodes and rewards [B,k] on the host; None where the PRM's form forbids it."""
        ...


class Extension(Protocol):
    """Encodings that can grow, where a bundle has the graph: [(L+1)*T,D], more than the memory alone."""

    def encode(self, codes: I32, items: I32, before: F16 | None) -> F16:
        """Codes [T,d] and items [T], the encoding of the first of them if there is one → encoding [(L+1)*T,D]."""
        ...

    def memory(self, encoding: F16) -> F16:
        """The memory [T,D] in an encoding."""
        ...
