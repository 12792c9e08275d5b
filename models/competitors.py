"""Which prefixes compete with the true one: drawn uniformly, drawn by the generator, or left by its beam."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from models.guiding import Positions
    from models.network import Promise

FILLER = -1  # where a beam found fewer prefixes than it may keep


def others(goals: Tensor, classes: int, count: int) -> Tensor:
    """int64 [P, min(count, classes - 1)]: different classes, all but the position's goal [P], each equally likely.

    A position walks round the other classes from a random one, by a random stride that shares no divisor with their
    number: so it meets none twice, and nothing as long as the classes is drawn for it.
    """
    rest = classes - 1
    strides = torch.arange(1, rest + 1)
    strides = strides[torch.gcd(strides, torch.tensor(rest)) == 1]
    start = torch.randint(max(rest, 1), (len(goals), 1))
    stride = strides[torch.randint(len(strides), (len(goals), 1))] if rest else start
    place = (start + stride * torch.arange(min(count, rest))) % max(rest, 1)
    return place + (place >= goals[:, None])


@torch.no_grad()
def drawn(network: Promise, positions: Positions, count: int) -> list[Tensor]:
    """int64 [N, count] per depth: prefixes of `count` paths that the generator draws at every position, repeats too."""
    parent, found = torch.zeros(len(positions.memory), 1, dtype=torch.long), []
    for b in range(network.catalogue.depth):
        share = code_log_probs(network, positions, b, parent).exp()
        codes = torch.multinomial(share.flatten(0, 1), 1 if b else count, replacement=True).view(len(parent), count)
        parent = child(network, b, parent.expand(-1, count), codes)
        found.append(parent)
    return found


@torch.no_grad()
def left(network: Promise, positions: Positions, count: int) -> list[Tensor]:
    """int64 [N, count] per depth: the prefixes that a plain beam of `count` keeps, FILLER where there are fewer."""
    parent = torch.zeros(len(positions.memory), 1, dtype=torch.long)
    total, found = torch.zeros(parent.shape), []
    for b in range(network.catalogue.depth):
        log_probs = total[:, :, None] + code_log_probs(network, positions, b, parent.clamp(min=0))
        best = log_probs.flatten(1).topk(min(count, log_probs[0].numel()))
        total, above = best.values, parent.gather(1, best.indices // log_probs.shape[-1])
        codes = best.indices % log_probs.shape[-1]
        parent = torch.where(total > -torch.inf, child(network, b, above.clamp(min=0), codes), FILLER)
        found.append(nn.functional.pad(parent, (0, count - parent.shape[1]), value=FILLER))
    return found


def code_log_probs(network: Promise, positions: Positions, b: int, parent: Tensor) -> Tensor:
    """float [N, K, M]: the generator's log-probability of every next code of prefixes [N, K], -inf where invalid.

    As it is served, without dropout in the decoder.
    """
    catalogue, decoder, level = network.catalogue, network.decoder, torch.tensor(b)
    codes = catalogue.prefix_codes(b - 1)[parent] if b else parent.new_zeros(*parent.shape, 0)
    prefix, training = nn.functional.pad(codes, (0, catalogue.depth - b), value=-1), decoder.training
    decoder.eval()
    hidden = decoder.hidden(decoder.query(prefix, level), positions.memory, positions.mask).float()
    decoder.train(training)
    logits = hidden @ decoder.level_head(level).float().T
    legal = catalogue.next_codes(b, parent.flatten()).view(logits.shape)
    return logits.masked_fill(~legal, -torch.inf).log_softmax(-1)


def child(network: Promise, b: int, parent: Tensor, codes: Tensor) -> Tensor:
    """int64 [N, K]: which prefix of depth b + 1 each code [N, K] makes of its parent [N, K]; it must be a valid one."""
    catalogue = network.catalogue
    above = torch.arange(catalogue.counts[b - 1] if b else 1)
    owner, _ = catalogue.below(b, above)
    key = owner * catalogue.codebook + catalogue.prefix_codes(b)[:, -1]
    return torch.searchsorted(key, parent * catalogue.codebook + codes).clamp(max=len(key) - 1)
