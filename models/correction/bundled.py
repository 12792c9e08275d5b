"""A fitted correction with the relations it reads: what a bundle holds of it, checked against PyTorch as written."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch

from models import contract
from models.correction.network import Correction, Related, places
from models.correction.relations import Relations
from models.graphs.correction import correction_graph
from models.manifest import Correction as Shape
from models.parity import ParityError, difference

SEEN = 6  # candidates and history items that the check tries


@dataclass(frozen=True)
class Corrected:
    """The model and the relations of the training data its bundle was made of."""

    model: Correction
    relations: Relations

    def shape(self) -> Shape:
        """What the manifest says of it."""
        return Shape(pool=self.model.recipe.pool, newest=self.model.recipe.newest)

    def parameters(self) -> int:
        """Learned ones; relations are counted, not learned."""
        return sum(p.numel() for p in self.model.parameters())


def write_correction(folder: Path, corrected: Corrected) -> None:
    """correction.onnx and relations.npz.

    Raises:
        ParityError: the graph does not rank as PyTorch does.
    """
    graph = correction_graph(corrected.model.eval(), corrected.relations.groups)
    (folder / contract.CORRECTION.file).write_bytes(graph.SerializeToString())
    np.savez_compressed(folder / contract.RELATIONS, allow_pickle=False, **corrected.relations.arrays())
    newest = corrected.model.recipe.newest
    for length in sorted({1, min(2, newest), newest}):
        check(folder, corrected, length)


@torch.no_grad()
def check(folder: Path, corrected: Corrected, length: int, seed: int = 0) -> float:
    """Largest relative difference between the written graph and PyTorch, for made lists of a history length."""
    random, relations = torch.Generator().manual_seed(seed), corrected.relations
    items = len(relations.popularity)
    history = torch.randint(0, items, (2, length), generator=random)
    candidates = torch.randint(0, items, (2, SEEN), generator=random)
    # Neighbours, so that what is counted is not all zero; and one item of which nothing is known.
    candidates[:, 0] = torch.from_numpy(relations.neighbour)[history[:, 0], 0].clamp(min=0)
    candidates[:, 1], history[1, length // 2 + 1 :] = 0, 0
    reward = torch.randn(2, SEEN, generator=random).sort(1, descending=True).values
    log_prob = torch.zeros(2, SEEN)
    log_prob[0, -1] = -torch.inf
    node = torch.arange(2 * SEEN).view(2, SEEN)
    feeds = {
        "node": node.int().numpy(),
        "log_prob": log_prob.numpy(),
        "reward": reward.numpy(),
        "chosen": (node + 100).numpy(),
        "place": places(SEEN)[None].numpy(),
        "age": np.arange(length, dtype=np.int32),
        "history": history.int().numpy(),
        "item": candidates.flatten().int().numpy(),
        "k_keep": np.array([SEEN], np.int64),
        **relations.arrays(),
    }
    session = ort.InferenceSession(folder / contract.CORRECTION.file, providers=["CPUExecutionProvider"])
    found = dict(zip(contract.CORRECTION.outputs, session.run(contract.CORRECTION.outputs, feeds), strict=True))
    related = Related(relations)
    pairs, counts = related(history, candidates), related.popularity[candidates]
    wanted = corrected.model(pairs, history > 0, counts, reward, (candidates == 0) | log_prob.isneginf())
    kept = torch.from_numpy(found["order"]) - 100 - node[:, :1]
    if not np.array_equal(found["kept_node"], node.gather(1, kept).numpy()):
        raise ParityError(f"{contract.CORRECTION.file}: 'order' and 'kept_node' speak of different leaves")
    score = (wanted + 1e-30 * log_prob).gather(1, kept)
    if (score.diff(dim=1) > 1e-4).any():
        raise ParityError(f"{contract.CORRECTION.file}: does not rank as PyTorch does")
    return difference(contract.CORRECTION.file, "kept_reward", found["kept_reward"], wanted.gather(1, kept))
