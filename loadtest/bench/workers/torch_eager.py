"""Peer worker: our own search written in PyTorch eager, over the same network, trie and catalogue.

Usage: python -m loadtest.bench.workers.torch_eager FOLDER CORE, in this project's environment with the train extra.
What does not depend on the beam is computed once a request: keys and values of every decoder block, the reward model's
context of every depth. Rows that the reward model scores are computed once at the start.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from loadtest.bench.workers import random_network
from loadtest.bench.workers.protocol import Side, new_items, run
from loadtest.bench.workload import World
from models.catalogue import Prefixes
from models.layers import CrossBlock, RMSNorm, layers_of
from models.network import Promise


class EagerSearch:
    """Guided K'/K+ search of one request; nodes are numbered within their depth."""

    def __init__(self, network: Promise, world: World) -> None:
        self.network, self.sizes, self.histories = network, world.sizes, torch.from_numpy(world.histories).long()
        prefixes = Prefixes.of(world.sids)
        self.members = torch.from_numpy(np.stack(prefixes.members)).long()
        self.codes = [torch.from_numpy(codes[:, -1].copy()).long() for codes in prefixes.codes]
        self.first = [torch.from_numpy(first) for first in _first_children(prefixes)]
        self.widest = [int(first.diff().max()) for first in self.first]
        self.below = [torch.bincount(member) for member in self.members]
        self.row_of = torch.empty(world.sizes.items, dtype=torch.long).index_copy_(
            0, self.members[-1], torch.arange(1, world.sizes.items + 1)
        )
        with torch.inference_mode():
            self.item_rows = network.features.rows(network.catalogue)
            self.rows = [network.rows(b, self.item_rows, "inner") for b in range(world.sizes.codes)]

    @torch.inference_mode()
    def __call__(self, request: int) -> list[int]:
        """Row numbers of the best items, of a history that is encoded anew."""
        seen = self.histories[request]
        memory = self.network.encode(seen[None], self.item_rows).half().float()
        keys_values = [block.attend.keys_values(memory) for block in layers_of(self.network.decoder.blocks)]
        contexts = self.contexts(memory)
        nodes, log_prob, codes = torch.zeros(1, dtype=torch.long), torch.zeros(1), torch.zeros(1, memory.shape[-1])
        for b in range(self.sizes.codes):
            nodes, log_prob, parent = self.expand(b, nodes, log_prob, codes, keys_values, seen)
            keep = (self.rows[b][nodes] @ contexts[b]).topk(min(self.sizes.beam, len(nodes))).indices
            nodes, log_prob, parent = nodes[keep], log_prob[keep], parent[keep]
            grown = self.codes[b][nodes] + b * self.sizes.codebook
            codes = codes[parent] + functional.embedding(grown, self.network.decoder.codes)
        return list(self.row_of[nodes[: self.sizes.returned]].tolist())

    def contexts(self, memory: Tensor) -> Tensor:
        """The reward model's context [d, D], all depths as query rows of one pass."""
        prm = self.network.inner
        assert prm is not None
        hidden = (memory[:, -1] @ prm.context).transpose(0, 1)
        if not len(prm.blocks):
            return hidden[0]
        hidden = hidden + prm.level
        for block in layers_of(prm.blocks):
            hidden = _block(block, hidden, *block.attend.keys_values(memory))
        return _norm(prm.norm, hidden)[0]

    def expand(
        self,
        b: int,
        nodes: Tensor,
        log_prob: Tensor,
        codes: Tensor,
        keys_values: Sequence[tuple[Tensor, Tensor]],
        seen: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """K+ best legal children: nodes, log-probabilities, and the row of the beam that each grew from."""
        decoder = self.network.decoder
        hidden = ((codes + decoder.level[b]) * decoder.scale)[None]
        for block, (key, value) in zip(layers_of(decoder.blocks), keys_values, strict=True):
            hidden = _block(block, hidden, key, value)
        logits = _norm(decoder.norm, hidden)[0] @ decoder.level_head(torch.tensor(b)).T
        start, slots = self.first[b][nodes, None], torch.arange(self.widest[b])
        exists = slots < self.first[b][nodes + 1, None] - start
        child = torch.where(exists, start + slots, 0)
        scores = logits.gather(1, self.codes[b][child]).masked_fill(~exists, -1e9).log_softmax(-1)
        legal = exists & ~self.banned(b, seen)[child]
        flat = (log_prob[:, None] + scores).masked_fill(~legal, -torch.inf).flatten()
        best, chosen = flat.topk(min(self.sizes.k_plus, int(legal.sum())))
        return child.flatten()[chosen], best, chosen // self.widest[b]

    def banned(self, b: int, seen: Tensor) -> Tensor:
        """bool [V]: nodes of this depth below which every item is in the history."""
        return torch.bincount(self.members[b][seen - 1], minlength=len(self.below[b])) == self.below[b]


def _first_children(prefixes: Prefixes) -> list[np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Per depth, int64 [parents + 1]: where the children of every parent begin among the nodes of this depth."""
    firsts = [np.array([0, len(prefixes.codes[0])])]
    for above, codes in zip(prefixes.codes, prefixes.codes[1:], strict=False):
        fresh = np.flatnonzero((codes[1:, :-1] != codes[:-1, :-1]).any(1)) + 1
        firsts.append(np.concatenate([[0], fresh, [len(codes)]]))
        if len(firsts[-1]) != len(above) + 1:
            raise ValueError("a prefix without a child")
    return firsts


def _block(block: CrossBlock, x: Tensor, key: Tensor, value: Tensor) -> Tensor:
    attend = block.attend
    seen = functional.scaled_dot_product_attention(attend.split(attend.query(_norm(block.norm1, x))), key, value)
    x = x + attend.out(seen.transpose(1, 2).flatten(-2))
    fed: Tensor = block.feed(_norm(block.norm2, x))
    return x + fed


def _norm(norm: RMSNorm, x: Tensor) -> Tensor:
    return functional.rms_norm(x, (x.shape[-1],), norm.weight, 1e-6)


def open_side(world: World, _: Path) -> Side:
    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    network = random_network.network_of(world, "inner")
    check = new_items(world.sizes.returned, world.histories)
    counts = random_network.parameters(network)
    return Side(EagerSearch(network, world), check, ("torch", "numpy"), torch.get_num_threads(), counts)


if __name__ == "__main__":
    run(open_side, Path(sys.argv[1]), int(sys.argv[2]))
