"""The generator learns from the PRM what a guided search will ask of it: to rank the children of prefixes it keeps.

Teacher forcing shows the generator only true prefixes, one true child each. A guided search expands dozens of other
prefixes, and its pool must hold the children that the PRM likes. So at a sample of positions a prefix is drawn from
the PRM's own distribution, and the generator's distribution over its children is drawn towards the PRM's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from models.prm import PrefixRows

if TYPE_CHECKING:
    from models.network import Promise


@dataclass(frozen=True)
class Positions:
    """A sample of training positions: their users' encodings [N,T,D] and masks bool [N,1,1,T] of what is past."""

    memory: Tensor
    mask: Tensor
    newest: Tensor  # hidden state [N,1,D] of the position itself
    place: Tensor  # int64 [N,2]: user and position

    @staticmethod
    def drawn(memory: Tensor, where: Tensor, count: int) -> Positions:
        """At most `count` of the positions of memory [B,T,D] that `where` [B,T] marks."""
        found = where.nonzero()
        chosen = found[torch.randperm(len(found))[:count]]
        user, position = chosen[:, 0], chosen[:, 1]
        past = torch.arange(memory.shape[1])[None] <= position[:, None]
        return Positions(memory[user], past[:, None, None, :], memory[user, position][:, None], chosen)


@dataclass(frozen=True)
class Children:
    """Of parents [N]: who owns each child, its prefix index, and the PRM's share of it, all [C], by owner."""

    owner: Tensor
    child: Tensor
    share: Tensor

    def draw(self, parents: int) -> Tensor:
        """int64 [parents]: one child of each, by share."""
        edge = self.share.double().cumsum(0)
        last = torch.searchsorted(self.owner, torch.arange(parents), right=True) - 1
        high = edge[last]
        low = torch.cat([high.new_zeros(1), high[:-1]])
        point = low + torch.rand(parents, dtype=torch.float64) * (high - low)
        return self.child[torch.minimum(torch.searchsorted(edge, point, right=True), last)]


def guide_loss(network: Promise, memory: Tensor, where: Tensor, count: int) -> Tensor:
    """Cross entropy of the generator's children against the PRM's, at `count` positions, summed over depths > 1."""
    positions, total = Positions.drawn(memory, where, count), memory.new_zeros(())
    parent = torch.zeros(len(positions.memory), dtype=torch.long)
    for b in range(network.catalogue.depth):
        wanted = teacher(network, positions, b, parent)
        if b:
            total = total - (wanted.share * student(network, positions, b, parent, wanted)).sum() / len(parent)
        parent = wanted.draw(len(parent))
    return total


@torch.no_grad()
def teacher(network: Promise, positions: Positions, b: int, parent: Tensor) -> Children:
    """The PRM's shares among the children of parents int64 [N], prefixes of depth b."""
    prm, rows = network.inner, network.prefix_rows["inner"]
    assert prm is not None
    assert isinstance(rows, PrefixRows)
    context = prm.contexts(positions.newest, positions.memory, b, positions.mask)[:, 0].float()
    different, which = parent.unique(return_inverse=True)
    table = rows.some(network.catalogue, network.features, b, network.catalogue.below(b, different)[1])
    owner, child = network.catalogue.below(b, parent)
    if len(different) == 1:
        rewards = (context @ table.T).flatten()
    else:
        # The table holds the children of different parents one block after another.
        sizes = torch.bincount(owner, minlength=len(parent))
        blocks = torch.zeros(len(different), dtype=torch.long).index_copy_(0, which, sizes)
        begin = (blocks.cumsum(0) - blocks)[which]
        place = torch.arange(len(owner)) - (sizes.cumsum(0) - sizes)[owner]
        rewards = (table[begin[owner] + place] * context[owner]).sum(1)
    return Children(owner, child, _log_softmax(rewards, owner, len(parent)).exp())


def student(network: Promise, positions: Positions, b: int, parent: Tensor, of: Children) -> Tensor:
    """The generator's log-probabilities [C] of children of parents int64 [N], prefixes of depth b."""
    catalogue, decoder, level = network.catalogue, network.decoder, torch.tensor(b)
    prefix = nn.functional.pad(catalogue.prefix_codes(b - 1)[parent], (0, catalogue.depth - b), value=-1)
    hidden = decoder.hidden(decoder.query(prefix[:, None], level), positions.memory, positions.mask)[:, 0].float()
    logits = hidden @ decoder.level_head(level).float().T
    return _log_softmax(logits[of.owner, catalogue.prefix_codes(b)[of.child, -1]], of.owner, len(parent))


def _log_softmax(scores: Tensor, owner: Tensor, owners: int) -> Tensor:
    """Log-softmax of scores [C] among those of the same owner."""
    top = scores.new_full((owners,), -torch.inf).scatter_reduce(0, owner, scores.detach(), "amax")
    weight = (scores - top[owner]).exp()
    return scores - (top + scores.new_zeros(owners).index_add(0, owner, weight).log())[owner]
