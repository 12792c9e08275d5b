"""How much of the exact scan's top list a guided search keeps, in plain torch: for a look at a network in training.

The bundle's own figures come from the service's search (models.world_report).
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.layers import length_mask
from models.network import Promise
from models.prm import PrefixRows

Bool = NDArray[np.bool_]
CHUNK = 65_536
LISTED = 10


@dataclass(frozen=True)
class Kept:
    """Per user and depth, share of the exact top items whose prefix was expanded [U,d] and was kept [U,d].

    items int64 [U, 10] the search's list, -1 = none; exact int64 [U, 10] the scan's; both leaves in node order.
    """

    expanded: NDArray[np.float64]
    kept: NDArray[np.float64]
    found: NDArray[np.int64]
    exact: NDArray[np.int64]

    def overlap(self) -> float:
        """Mean share of the scan's list that the search's list holds."""
        return float((self.exact[:, :, None] == self.found[:, None]).any(2).mean())


class Checker:
    """Rows of every prefix made once; `check` takes histories in batches of a few dozens."""

    @torch.no_grad()
    def __init__(self, network: Promise) -> None:
        self.network, self.catalogue = network.eval(), network.catalogue
        index = [torch.arange(count).split(CHUNK) for count in self.catalogue.counts]
        rows, tables = network.prefix_rows["inner"], (self.catalogue, network.features)
        assert isinstance(rows, PrefixRows)
        self.rows = [torch.cat([rows.some(*tables, b, part) for part in parts]) for b, parts in enumerate(index)]
        self.paths = [self.catalogue.member(b)[self.catalogue.leaf_items] for b in range(self.catalogue.depth)]

    @torch.no_grad()
    def check(self, items: Tensor, lengths: Tensor, k_keep: int, k_plus: int, weight: float) -> Kept:
        """Exact scan and guided search of histories [B,T]; score of prefixes = reward + weight · log-probability."""
        memory, depth = self.network.encode(items, None), self.catalogue.depth
        assert self.network.inner is not None
        contexts = [self.network.inner.newest(memory, lengths, b) for b in range(depth)]
        exact = (contexts[-1] @ self.rows[-1].T).topk(LISTED).indices
        mask = length_mask(lengths, torch.arange(items.shape[1]))
        batch = len(items)
        node, log_prob = torch.zeros(batch, 1, dtype=torch.long), torch.zeros(batch, 1)
        prefix = torch.full((batch, 1, depth), -1)
        shares = []
        for b in range(depth):
            node, prefix, log_prob = self.expand(memory, mask, node, prefix, log_prob, b, k_plus)
            reward = (self.rows[b][node] @ contexts[b][:, :, None])[..., 0]
            score = reward + (weight if b < depth - 1 else 0.0) * log_prob
            order = score.masked_fill(log_prob == -torch.inf, -torch.inf).topk(min(k_keep, score.shape[1])).indices
            true, pool = self.paths[b][exact], node.masked_fill(log_prob == -torch.inf, -1)
            node, log_prob = node.gather(1, order), log_prob.gather(1, order)
            prefix = prefix.gather(1, order[..., None].expand(-1, -1, depth))
            kept = node.masked_fill(log_prob == -torch.inf, -1)
            shares.append([(true[:, :, None] == those[:, None]).any(2).double().mean(1) for those in (pool, kept)])
        expanded, held = (torch.stack([share[n] for share in shares], 1).numpy() for n in range(2))
        return Kept(expanded, held, kept[:, :LISTED].numpy(), exact.numpy())

    def expand(
        self, memory: Tensor, mask: Tensor, node: Tensor, prefix: Tensor, log_prob: Tensor, b: int, k_plus: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The k_plus most probable children: node, prefix, log_prob; -inf = filler."""
        decoder, level = self.network.decoder, torch.tensor(b)
        logits = decoder.hidden(decoder.query(prefix, level), memory, mask) @ decoder.level_head(level).T
        legal = self.catalogue.next_codes(b, node.flatten()).view(*node.shape, -1)
        logits = logits.masked_fill(~legal, -1e9).log_softmax(-1).masked_fill(~legal, -torch.inf)
        flat = (log_prob[..., None] + logits).flatten(1)
        best, chosen = flat.topk(min(k_plus, flat.shape[1]))
        parent, code = chosen // legal.shape[-1], chosen % legal.shape[-1]
        grown = prefix.gather(1, parent[..., None].expand(-1, -1, prefix.shape[-1])).clone()
        grown[..., b] = code
        first = self.catalogue.get_buffer(f"first_{b}")[node.gather(1, parent)]
        child = first + legal.long().cumsum(-1).flatten(1).gather(1, chosen) - 1
        return child.clamp(0, len(self.rows[b]) - 1), grown, best
