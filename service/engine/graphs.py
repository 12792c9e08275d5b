"""The ONNX engine: sessions over one bundle; tensors stay on the device between calls (design sections 3, 10).

Tables and trie arrays become device tensors once, a request's keys, values and contexts once per request; the first
level, which comes with them, is chosen from on the host.
"""

from collections.abc import Callable, Sequence
from copy import copy
from functools import lru_cache, partial
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from models import contract
from service.engine.bundle import Bundle
from service.engine.correcting import GraphCorrection
from service.engine.extension import GraphExtension
from service.engine.held import constants
from service.engine.masks import masks, slots
from service.engine.opened import Opened, last_of, mask_of
from service.engine.protocol import F16, F32, I32, Beams, Context, HostTensor, Pruned, Tensor, Voted
from service.engine.sessions import Chosen, Device, Graph, open_sessions, put, run_options, signatures
from service.engine.voting import GraphVotes
from service.search import choosing
from service.search.legality import Banned
from service.search.trie import Trie

OPTIONAL = (contract.SCAN.file, contract.EXTEND.file, contract.CORRECTION.file, contract.VOTES.file)


class OnnxEngine:
    """service.engine.protocol.Engine over onnxruntime. One thread owns it: sessions share one stream.

    Raises:
        DeviceError: `cuda` was asked for and no CUDA session can be made.
        BundleError: a graph cannot be opened or is not of the contract's signature.
    """

    def __init__(self, bundle: Bundle, device: Device = "auto", threads: int = 1) -> None:
        self.device, self._sessions = open_sessions(bundle, device, threads)
        self._put: Callable[[NDArray[Any]], Any] = partial(put, device=self.device)
        self.providers = tuple(self._sessions[contract.ENCODER.file].get_providers())
        self._options = run_options()
        self._hold(bundle)

    def stop(self) -> None:
        """From any thread, for good: what runs now ends with an error at its next operator, and so does what follows.

        Engines over revisions of the bundle stop too.
        """
        self._options.terminate = True

    @property
    def stopped(self) -> bool:
        return bool(self._options.terminate)

    def over(self, bundle: Bundle) -> Self:
        """An engine over a revision of this bundle: the sessions are shared, only trie and tables are its own.

        Raises:
            ValueError: the bundle has other graphs.
        """
        if any(bundle.manifest.files[name] != self.bundle.manifest.files[name] for name in self._sessions):
            raise ValueError(f"{bundle.manifest.tag} has other graphs than {self.model_version}")
        other = copy(self)
        other._hold(bundle)
        return other

    def _hold(self, bundle: Bundle) -> None:
        """Take the bundle's arrays to the device and bind them to their graphs."""
        manifest = bundle.manifest
        self.bundle, self.trie = bundle, bundle.trie
        self.depth, self.model_version = manifest.depth, manifest.tag
        self.history_limit, self.has_scan = manifest.dims.history, manifest.exact
        # Nothing kept here holds the engine itself: in a ring its memory would outlive it until a rare collection.
        self._small: Callable[[float, str, bool], Any] = lru_cache(maxsize=4096)(partial(_constant, self.device))
        self._alone: Callable[[int, int], tuple[Any, Any]] = lru_cache(maxsize=1024)(partial(_one, self._put))
        self._slots: Callable[[int, int], Any] = lru_cache(maxsize=256)(partial(_slot, self._put, self.trie))
        self._widths = [self.trie.branching(level) for level in range(self.depth)]
        held, graphs = constants(bundle, self._put), signatures(manifest)
        self._graphs = {
            x.file: Graph(self._sessions[x.file], x, self.device, held[x.file], self._options) for x in graphs
        }
        self._encoder, self._context, *generators, self._prm = (
            self._graphs[x.file] for x in graphs if x.file not in OPTIONAL
        )
        self._generators = dict(enumerate(generators, start=1))
        self.pool, shape = manifest.correction.pool if manifest.correction else 0, manifest.correction
        again = self._graphs.get(contract.CORRECTION.file)
        self._correction = GraphCorrection(again, shape, self._put) if again and shape else None
        heads = self._graphs.get(contract.VOTES.file)
        self.voters, self._votes = manifest.votes.heads if manifest.votes else 0, GraphVotes(heads) if heads else None
        longer, dims = self._graphs.get(contract.EXTEND.file), manifest.dims
        self.extension = GraphExtension(longer, self._put, dims.encoder_layers, dims.width) if longer else None

    def encode(self, codes: I32, items: I32, lengths: I32) -> F16:
        """Encode histories: codes [B,T,d], items [B,T], lengths [B] → memory [B,T,D] on the host, for the cache."""
        (encoded,) = self._encoder({"codes": self._put(codes), "items": self._put(items)})
        memory: F16 = encoded.numpy()
        if len(lengths) > 1:
            # Padding is zeroed, so that a history's encoding does not depend on the batch it was encoded in.
            memory[np.arange(memory.shape[1]) >= lengths[:, None]] = 0
        return memory

    def context(self, memory: F16, lengths: I32, banned: Sequence[Banned], history: I32 | None = None) -> Context:
        """A batch of encodings [B,T,D], what each of its requests may not be shown, and its histories (see Context)."""
        return Context(memory, lengths, banned, history)

    def take(self, context: Context, rows: Sequence[int]) -> Context:
        """These requests of the batch, in this order; the batch itself where they are all of it."""
        chosen = list(rows)
        if chosen == list(range(context.batch)):
            return context
        lengths = context.lengths[chosen]
        memory = context.memory[chosen, : lengths.max()]  # one request alone must fill it: see mask_of
        history = None if context.history is None else context.history[chosen]
        part = Context(memory, lengths, [context.banned[row] for row in chosen], history)
        if context.opened is not None:
            part.opened = context.opened.take(chosen, self._put)
        return part

    def open(self, context: Context) -> Opened:
        """Run the context graph, once per context, and ban what is illegal at the first level."""
        if context.opened is None:
            mask, last = self._reach(context)
            feeds = {"memory": self._put(context.memory), "mask": mask, "last": last}
            made = dict(zip(self._context.outputs, self._context(feeds), strict=True))
            log_prob, reward = made.pop("log_prob").numpy(), made.pop("reward").numpy()
            for row, illegal in enumerate(context.banned):
                log_prob[row, illegal.first_level(self.trie)] = -np.inf
            hidden = masks(self.trie, context.banned)
            slot = self._slots(context.batch, 3)
            context.opened = Opened.of(made, self.depth, mask, self._put(hidden.banned), slot, log_prob, reward)
        opened: Opened = context.opened
        return opened

    def root(self, batch: int) -> Beams:
        """The trie's root with log-probability 0, one row a request."""
        return choosing.beams(np.zeros((batch, 1), np.int32), np.zeros((batch, 1), np.float32))

    def beams(self, node: I32, log_prob: F32) -> Beams:
        """Prefixes chosen on the host, put on the device."""
        return Beams(self._put(node), self._put(log_prob), node.shape[1])

    def expand(self, context: Context, beams: Beams, level: int, k_plus: int) -> Beams:
        """The k_plus most probable legal children; fewer only where the beams cannot have so many."""
        opened, count = self.open(context), min(k_plus, beams.width * self._widths[level])
        if level == 0:
            order = choosing.best(opened.log_prob, count)
            return choosing.beams(order + np.int32(1), choosing.pick(opened.log_prob, order))
        generator = self._generators[level]
        generator.over(opened, opened.decoder)
        feeds = {"node": self._device(beams.node), "log_prob": self._device(beams.log_prob)}
        node, log_prob = generator(feeds | {"k_plus": self._small(count, "int64", True)})
        return Beams(node, log_prob, count)

    def prune(self, context: Context, children: Beams, level: int, k_keep: int, weight: float) -> Pruned:
        """The k_keep children of highest reward + weight · log-probability."""
        opened, count = self.open(context), min(k_keep, children.width)
        if level == 0:
            node = children.node.numpy()
            return choosing.keep(node, children.log_prob.numpy(), choosing.pick(opened.reward, node - 1), count, weight)
        self._prm.over((opened, level), opened.prm[level])
        feeds = {
            "node": self._device(children.node),
            "log_prob": self._device(children.log_prob),
            "k_keep": self._small(count, "int64", True),
            "weight": self._small(weight or choosing.NO_WEIGHT, "float32", False),
        }
        if self.bundle.manifest.prm == "cross":
            feeds["level"] = self._small(level, "int64", False)
        order, node, log_prob, reward, rewards = self._prm(feeds)
        return Pruned(Beams(node, log_prob, count), order, reward, rewards)

    def correct(self, context: Context, leaves: Pruned, k_keep: int) -> Pruned:
        """The k_keep best of these leaves by the corrected reward; only where the bundle has a correction."""
        if self._correction is None:
            raise ValueError(f"{self.model_version} has no correction")
        count = min(k_keep, leaves.kept.width)
        return self._correction(context, leaves, count, self._small(count, "int64", True))

    def vote(self, context: Context, children: Beams, level: int) -> Voted:
        """What the bootstrap heads and the interest query say of children; only where the bundle has them."""
        if self._votes is None:
            raise ValueError(f"{self.model_version} has no votes")
        opened = self.open(context)
        state = {**opened.prm[level], "level": self._small(level, "int64", False)}
        return self._votes((opened, level), state, self._device(children.node))

    def scan(self, context: Context, k: int) -> tuple[I32, F32] | None:
        """Exact ranking of all leaves: nodes int32 and rewards [B,k]; None where the PRM's form forbids it."""
        if not self.has_scan:
            return None
        hidden, (mask, last) = masks(self.trie, context.banned), self._reach(context)
        feeds = {
            "memory": self._put(context.memory),
            "mask": mask,
            "last": last,
            "banned": self._put(hidden.banned),
            "slot": self._slots(context.batch, 2),
            "k": self._small(min(k, self.trie.items), "int64", True),
        }
        leaf, reward = self._graphs[contract.SCAN.file](feeds)
        nodes: I32 = leaf.numpy() + np.int32(self.trie.first_leaf)
        return nodes, reward.numpy()

    def _reach(self, context: Context) -> tuple[Any, Any]:
        """Mask and last position of every history; those of a request alone are kept by length."""
        longest = context.memory.shape[1]
        if context.batch == 1:
            return self._alone(longest, int(context.lengths[0]))
        return self._put(mask_of(context.lengths, longest)), self._put(last_of(context.lengths))

    def _device(self, tensor: Tensor) -> Any:
        """Chosen on the host → on the device; what is there stays there."""
        return self._put(tensor.numpy()) if isinstance(tensor, HostTensor) else tensor


def _one(put: Callable[[NDArray[Any]], Any], longest: int, length: int) -> tuple[Any, Any]:
    lengths = np.array([length], np.int32)
    return put(mask_of(lengths, longest)), put(last_of(lengths))


def _slot(put: Callable[[NDArray[Any]], Any], trie: Trie, batch: int, axes: int) -> Any:
    return put(slots(trie, batch).reshape(batch, *[1] * (axes - 1)))


def _constant(device: Chosen, value: float, dtype: str, vector: bool) -> Any:
    # Counts, the vectors, are read by the host side of a graph, also when the rest of it runs on a GPU.
    array = np.array([value] if vector else value, dtype)
    return put(array, "cpu" if vector else device)
