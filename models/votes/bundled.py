"""Fitted votes with their temperatures: what a bundle holds of them, checked against PyTorch as written."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch

from models import contract
from models.graphs.votes import votes_graph
from models.manifest import Votes as Shape
from models.parity import difference
from models.votes.network import Votes

SEEN = 6  # candidates that the check tries


@dataclass(frozen=True)
class Calibrated:
    """The heads, and the temperature of every depth that makes a probability of their mean."""

    model: Votes
    temperature: tuple[float, ...]

    def shape(self) -> Shape:
        """What the manifest says of it."""
        return Shape(heads=self.model.recipe.heads, temperature=self.temperature)

    def parameters(self) -> int:
        return sum(p.numel() for p in self.model.parameters())


@torch.no_grad()
def write_votes(folder: Path, votes: Calibrated) -> None:
    """votes.onnx.

    Raises:
        ParityError: the graph does not compute what PyTorch computes.
    """
    graph = votes_graph(votes.model.eval())
    (folder / contract.VOTES.file).write_bytes(graph.SerializeToString())
    for level in range(len(votes.temperature)):
        check(folder, votes.model, level)


@torch.no_grad()
def check(folder: Path, model: Votes, level: int, seed: int = 0) -> float:
    """Largest relative difference between the written graph and PyTorch, for made contexts and rows of a level."""
    random = torch.Generator().manual_seed(seed + level)
    width = model.down.shape[2]
    rows, context = torch.randn(3 * SEEN, width, generator=random).half(), torch.randn(2, width, generator=random)
    row, node = torch.randperm(len(rows), generator=random), torch.randint(len(rows), (2, SEEN), generator=random)
    feeds = {
        "node": node.int().numpy(),
        "rows": rows.numpy(),
        "row": row.int().numpy(),
        "prm_context": context[:, None].numpy(),
        "level": np.array(level, np.int64),
    }
    session = ort.InferenceSession(folder / contract.VOTES.file, providers=["CPUExecutionProvider"])
    votes, interest = session.run(contract.VOTES.outputs, feeds)
    wanted = rows[row[node]].float() @ model(context, level).transpose(1, 2)
    return max(
        difference(contract.VOTES.file, "votes", votes, wanted[..., :-1]),
        difference(contract.VOTES.file, "interest", interest, wanted[..., -1]),
    )
