"""One small bundle seen from both sides: the service's engine and search, and PyTorch's own figures for the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from made_corrected import corrected_bundle, made_correction
from numpy.typing import NDArray
from tiny import BUNDLE_ITEMS, DEPTH, HISTORY, Bundles, made_sids, padded
from torch import Tensor

from models.correction.bundled import Corrected
from models.correction.network import Related
from models.network import Promise
from service.engine.bundle import load
from service.engine.graphs import OnnxEngine
from service.engine.padding import newest_first
from service.engine.protocol import F16, Context
from service.search.guided import Found, search
from service.search.plan import Plan
from service.search.trie import banned

I32 = NDArray[np.int32]
Histories = Sequence[Sequence[int]]
CODES = np.concatenate([np.zeros((1, DEPTH), np.int32), made_sids(BUNDLE_ITEMS)])


@dataclass(frozen=True)
class World:
    """A network and the engine over its bundle, and what corrects it if the bundle is corrected."""

    network: Promise
    engine: OnnxEngine
    form: str
    corrected: Corrected | None = None

    def encode(self, histories: Histories) -> tuple[F16, I32]:
        newest = [list(rows[-HISTORY:]) for rows in histories]
        lengths = np.array([len(rows) for rows in newest], np.int32)
        items = padded(newest)[0].numpy().astype(np.int32)
        return self.engine.encode(CODES[items], items, lengths), lengths

    def context(self, histories: Histories, excluded: Sequence[int] = ()) -> Context:
        illegal = [banned(self.engine.trie, [*rows, *excluded]) for rows in histories]
        newest = newest_first([np.array(rows[-HISTORY:], np.int32) for rows in histories], BUNDLE_ITEMS)
        return self.engine.context(*self.encode(histories), illegal, newest)

    def search(self, histories: Histories, plan: Plan, k: int = 10, excluded: Sequence[int] = ()) -> Found:
        return search(self.engine, self.context(histories, excluded), plan, k)

    def rows(self, found: Found, row: int = 0) -> list[int]:
        return self.listed(found.node[row], found.log_prob[row])

    def listed(self, node: I32, score: NDArray[np.float32]) -> list[int]:
        rows: list[int] = self.engine.trie.rows(node[np.isfinite(score)]).tolist()
        return rows

    def memory(self, history: Sequence[int]) -> Tensor:
        """[1, T, D] float32, as the graphs take it."""
        return torch.from_numpy(self.encode([history])[0]).float()

    def rewards(self, memory: Tensor, nodes: Sequence[int], level: int) -> Tensor:
        """PyTorch's reward of these trie nodes."""
        prm = self.network.inner if self.form == "inner" else self.network.cross
        assert prm is not None
        table = torch.from_numpy(self.engine.bundle.tables.node_rows)[list(nodes)]
        lengths = torch.tensor([memory.shape[1]])
        return prm.score(memory, lengths, table[None], torch.tensor(level))[0].detach()

    @torch.no_grad()
    def corrections(self, history: Sequence[int], rows: Sequence[int], rewards: NDArray[np.float32]) -> Tensor:
        """PyTorch's corrected rewards of these item rows, given best reward first."""
        assert self.corrected is not None
        model, related = self.corrected.model, Related(self.corrected.relations)
        newest = torch.tensor([list(history[::-1][: model.recipe.newest])])
        some, given = torch.tensor([list(rows)]), torch.from_numpy(rewards)[None]
        found: Tensor = model(related(newest, some), newest > 0, related.popularity[some], given)[0]
        return found

    def child_log_probs(self, memory: Tensor, node: int, level: int) -> dict[int, float]:
        """PyTorch's log-probability of every child of one trie node, given that node."""
        trie, decoder = self.engine.trie, self.network.decoder
        path, above = [-1] * DEPTH, node
        for depth in reversed(range(level)):
            path[depth], above = int(trie.code[above]), int(trie.parent[above])
        query = decoder.query(torch.tensor([[path]]), torch.tensor(level))
        hidden = decoder.hidden(query, memory, torch.ones(1, 1, 1, memory.shape[1], dtype=torch.bool))
        children = list(range(trie.first_child[node], trie.first_child[node + 1]))
        logits = (hidden[0, 0] @ decoder.level_head(torch.tensor(level)).T)[trie.code[children].tolist()]
        return dict(zip(children, logits.log_softmax(-1).tolist(), strict=True))


def corrected_world(bundles: Bundles, folder: Path) -> World:
    """The bundle of the inner form with a made correction."""
    corrected = made_correction(BUNDLE_ITEMS)
    engine = OnnxEngine(load(corrected_bundle(bundles.inner, folder, corrected)), "cpu", 1)
    return World(bundles.network, engine, "inner", corrected)


def histories_of(count: int, longest: int = HISTORY, seed: int = 0) -> list[list[int]]:
    """Random histories; length 1 … longest, each as often."""
    rng = np.random.default_rng(seed)
    return [(rng.permutation(BUNDLE_ITEMS)[: 1 + n % longest] + 1).tolist() for n in range(count)]


def near(found: NDArray[np.float32], wanted: NDArray[np.float32], tolerance: float = 1e-4) -> bool:
    return bool((np.abs(found - wanted) <= tolerance * np.maximum(1, np.abs(wanted))).all())


def agree(rows: Sequence[int], wanted: Sequence[int], score: NDArray[np.float32]) -> bool:
    """The same items in the same order, up to `wanted` items whose scores are equal to within rounding."""
    of_row = dict(zip(wanted, score, strict=False))
    return set(rows) == set(of_row) and near(np.array([of_row[row] for row in rows]), score[: len(rows)], 1e-5)


def same(one: Found, other: Found) -> bool:
    """To the bit."""
    rewards = [np.zeros(0) if found.reward is None else found.reward for found in (one, other)]
    pairs = [(one.node, other.node), (one.score, other.score), (one.log_prob, other.log_prob), rewards]
    return all(np.array_equal(mine, others) for mine, others in pairs)
