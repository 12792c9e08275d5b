"""A bundle is tried out before it serves: right hashes say nothing about what its graphs answer, or when."""

import threading
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import contract
from service.engine.bundle import Bundle, BundleError
from service.engine.graphs import OnnxEngine
from service.engine.padding import newest_first, padded
from service.engine.protocol import F32, I32, Beams, Context, Pruned
from service.search.legality import banned

PATIENCE_S = 10.0  # for a first run of everything
KEEP = 10
ROUNDING = 1e-2  # by which a log-probability may exceed 0


def try_out(engine: OnnxEngine, bundle: Bundle, within_s: float, patience_s: float = PATIENCE_S) -> None:
    """Search for two users at once through every graph of the bundle, twice, and look at what comes out.

    `within_s`: how long the second search may take; `patience_s`: when the first one is stopped.

    Raises:
        BundleError: a graph fails, never ends, is too slow, or answers what it must not; the sentence names the file.
    """
    trial = _Trial(engine, bundle)
    timer = threading.Timer(patience_s, engine.stop)
    timer.daemon = True
    timer.start()
    try:
        trial.run()
        seconds = trial.run()
    except _WrongError as error:
        raise BundleError(f"{trial.at}: {error}.") from None
    except Exception as error:  # onnxruntime raises its own unexported types; a wrong shape shows as any other
        if engine.stopped:
            raise BundleError(f"{trial.at}: did not end within {patience_s:g} s.") from None
        reason = (str(error).splitlines() or [type(error).__name__])[0][-200:]
        raise BundleError(f"{trial.at}: cannot be run ({reason}).") from error
    finally:
        timer.cancel()
    if seconds > within_s:
        raise BundleError(
            f"{bundle.path}: a list of {KEEP} takes {seconds:.1f} s, longer than PROMISE_REQUEST_TIMEOUT_MS allows."
        )


class _WrongError(Exception):
    """What is wrong with an output, as the end of a sentence."""


@dataclass
class _Trial:
    """`name`: the file of the graph under trial."""

    engine: OnnxEngine
    bundle: Bundle
    name: str = contract.ENCODER.file

    @property
    def at(self) -> str:
        return str(self.bundle.path / self.name)

    def run(self) -> float:
        """Seconds of a search as requests have it; what else the bundle has is tried outside of them."""
        began = time.perf_counter()
        context = self._context(self._histories())
        leaves = self._search(context)
        seconds = time.perf_counter() - began
        self._beyond(context, leaves)
        return seconds

    def _histories(self) -> list[I32]:
        """The longest that the encoder reads, and one of a single item."""
        popular = self.bundle.catalogue.by_popularity
        return [popular[: self.bundle.manifest.dims.history], popular[-1:]]

    def _tokens(self, rows: I32) -> tuple[I32, I32]:
        catalogue = self.bundle.catalogue
        return catalogue.sids[rows - 1], np.where(rows > catalogue.learned, np.int32(0), rows)

    def _context(self, rows: list[I32]) -> Context:
        self.name = contract.ENCODER.file
        codes, items = zip(*(self._tokens(one) for one in rows), strict=True)
        lengths = np.array([len(one) for one in rows], np.int32)
        memory = self.engine.encode(padded([one[None] for one in codes]), padded([one[None] for one in items]), lengths)
        _shape(memory, (len(rows), int(lengths.max()), self.bundle.manifest.dims.width))
        _hold(memory.dtype == np.float16, f"gives {memory.dtype} where float16 is wanted")
        _finite(memory, "numbers")
        history = newest_first(rows, self.bundle.catalogue.learned) if self.engine.pool else None
        return self.engine.context(memory, lengths, [banned(self.engine.trie)] * len(rows), history)

    def _search(self, context: Context) -> Pruned:
        """Level by level; what is kept at the end are leaves."""
        self.name = contract.CONTEXT.file
        opened, width = self.engine.open(context), self.engine.trie.branching(0)
        _shape(opened.log_prob, (context.batch, width))
        _shape(opened.reward, (context.batch, width))
        _finite(opened.reward, "rewards")
        pruned = self._level(context, self.engine.root(context.batch), 0)
        for level in range(1, self.engine.depth):
            pruned = self._level(context, pruned.kept, level)
        return pruned

    def _level(self, context: Context, beams: Beams, level: int) -> Pruned:
        if level:
            self.name = contract.GENERATOR.file.format(depth=level + 1)
        children = self.engine.expand(context, beams, level, 4 * KEEP)
        node, log_prob = children.node.numpy(), children.log_prob.numpy()
        _hold(not np.isnan(log_prob).any(), "gives log-probabilities that are not numbers")
        _hold(bool((log_prob <= ROUNDING).all()), "gives log-probabilities above 0")
        self._below(node, log_prob, level)
        if level:
            self.name = contract.PRM.file
        pruned = self.engine.prune(context, children, level, KEEP, 0.0)
        kept = pruned.kept.node.numpy()
        _shape(kept, (context.batch, min(KEEP, children.width)))
        _finite(pruned.all_rewards.numpy()[np.isfinite(log_prob)], "rewards")
        given = all(np.isin(mine, those).all() for mine, those in zip(kept, node, strict=True))
        _hold(given, "keeps prefixes that it was not given")
        return pruned

    def _below(self, node: I32, log_prob: F32, level: int) -> None:
        """Nodes of this level where there is no filler, and some for every request."""
        start, legal = self.engine.trie.level_start, np.isfinite(log_prob)
        inside = (node >= start[level + 1]) & (node < start[level + 2])
        _hold(bool(inside[legal].all()), f"gives prefixes that are none of depth {level + 1}")
        _hold(bool(legal.any(1).all()), f"finds no prefix of depth {level + 1}")

    def _beyond(self, context: Context, leaves: Pruned) -> None:
        """What only some bundles have."""
        engine = self.engine
        if engine.pool:
            self.name = contract.CORRECTION.file
            again = engine.correct(context, leaves, KEEP)
            self._below(again.kept.node.numpy(), again.kept.log_prob.numpy(), engine.depth - 1)
            _finite(again.reward.numpy()[np.isfinite(again.kept.log_prob.numpy())], "rewards")
        if engine.voters:
            self.name = contract.VOTES.file
            voted, shape = engine.vote(context, leaves.kept, engine.depth - 1), leaves.kept.node.numpy().shape
            _shape(voted.votes, (*shape, engine.voters))
            _finite(voted.votes, "votes")
        if engine.has_scan:
            self.name = contract.SCAN.file
            if (scanned := engine.scan(context, KEEP)) is None:
                raise _WrongError("gives no ranking")
            self._below(scanned[0], scanned[1], engine.depth - 1)
        if engine.extension:
            self.name = contract.EXTEND.file
            codes, items = self._tokens(self._histories()[0])
            _finite(engine.extension.memory(engine.extension.encode(codes, items, None)), "numbers")


def _hold(condition: bool, otherwise: str) -> None:
    if not condition:
        raise _WrongError(otherwise)


def _shape(array: NDArray[Any], wanted: tuple[int, ...]) -> None:
    _hold(array.shape == wanted, f"gives {list(array.shape)} where {list(wanted)} is wanted")


def _finite(array: NDArray[Any], what: str) -> None:
    _hold(bool(np.isfinite(array).all()), f"gives {what} that are not finite")
