"""Training for beam survival (the idea of APAO): at every depth the true prefix should be among the K a beam keeps.

Next-code cross entropy looks at one step after a right prefix; a beam compares whole prefixes. So beside it, at every
depth, log(1 + exp(edge - own)): `own` is the accumulated log-probability of the true prefix, `edge` that of the K-th
best prefix of the generator's own beam for the same history. It is flat once the true prefix is safe. The edge is a
constant of the step: log-probabilities are normalised, so raising the one lowers the others.

At depth 1 the edge is known for every position, all codes being scored there. Beyond it takes a beam search without
gradient, at a sample of positions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from models.network import Promise

KEPT = 50  # the beam of the plan that ships
SAMPLED = 64


def survival_loss(
    network: Promise,
    memory: Tensor,
    where: Tensor,
    hidden: Tensor,
    goals: Tensor,
    kept: int = KEPT,
    sampled: int = SAMPLED,
) -> Tensor:
    """Summed over depths, the mean over positions of log(1 + exp(edge - own)).

    hidden [P,d,D] are the decoder's states on the true paths at the positions that `where` bool [B,T] marks in memory
    [B,T,D], goals int64 [P] their item rows. At the first depth all positions count, below `sampled` of them.
    """
    first = true_steps(network, hidden[:, :1], goals)
    margins = kept_edge(first[1], kept) - first[0][:, 0]
    total = nn.functional.softplus(margins).mean()
    chosen = torch.randperm(len(goals), device=goals.device)[:sampled]
    own = true_steps(network, hidden[chosen], goals[chosen])[0].cumsum(1)
    edges = beam_edges(network, memory, where.nonzero()[chosen], kept)
    return total + nn.functional.softplus(edges[:, 1:] - own[:, 1:]).mean(0).sum()


def true_steps(network: Promise, hidden: Tensor, goals: Tensor) -> tuple[Tensor, Tensor]:
    """Log-probability [P, b] of every step of the true paths for hidden [P,b,D], and of all codes [P,M] at the last."""
    steps, codes, every = [], network.catalogue.sids[goals], hidden.new_zeros(0)
    for b in range(hidden.shape[1]):
        parents = torch.zeros_like(goals) if b == 0 else network.catalogue.member(b - 1)[goals]
        every = step(network, hidden[:, b], b, parents)[0]
        steps.append(every.gather(1, codes[:, b, None])[:, 0])
    return torch.stack(steps, 1), every


def step(network: Promise, hidden: Tensor, b: int, parents: Tensor) -> tuple[Tensor, Tensor]:
    """Of parents int64 [N], prefixes of depth b, with states [N,D]: log-probability [N,M] of every next code, -inf
    where there is none, and the index [N,M] of the prefix it leads to."""
    catalogue = network.catalogue
    legal = catalogue.next_codes(b, parents)
    logits = hidden.float() @ network.decoder.level_head(torch.tensor(b)).float().T
    places = catalogue.get_buffer(f"first_{b}")[parents][:, None] + legal.cumsum(1).clamp(min=1) - 1
    return logits.masked_fill(~legal, -torch.inf).log_softmax(1), places


def kept_edge(log_probs: Tensor, kept: int) -> Tensor:
    """[N]: the `kept`-th highest of log_probs [N,C], detached; -inf where there are fewer, so that all survive."""
    if log_probs.shape[1] < kept:
        return log_probs.new_full((len(log_probs),), -torch.inf)
    return log_probs.detach().topk(kept).values[:, -1]


@torch.no_grad()
def beam_edges(network: Promise, memory: Tensor, chosen: Tensor, kept: int) -> Tensor:
    """[N,d]: the log-probability of the last prefix kept at every depth by a plain beam of `kept`, of histories that
    end at chosen int64 [N,2], (user, position) in memory [B,T,D]."""
    catalogue, decoder = network.catalogue, network.decoder
    user, position = chosen.T
    past, mask = memory[user], (torch.arange(memory.shape[1], device=memory.device) <= position[:, None])[:, None, None]
    count, edges = len(chosen), []
    prefix, log_prob = memory.new_zeros(count, 1, dtype=torch.long), memory.new_zeros(count, 1)
    for b in range(catalogue.depth):
        codes = catalogue.prefix_codes(b - 1)[prefix] if b else prefix.new_zeros(count, 1, 0)
        query = decoder.query(nn.functional.pad(codes, (0, catalogue.depth - b), value=-1), torch.tensor(b))
        hidden = decoder.hidden(query, past, mask)
        steps, places = step(network, hidden.flatten(0, 1), b, prefix.flatten())
        every = (log_prob[:, :, None] + steps.view(count, -1, catalogue.codebook)).flatten(1)
        edges.append(kept_edge(every, kept))
        log_prob, best = every.topk(min(kept, every.shape[1]))
        prefix = places.view(count, -1).gather(1, best)
    return torch.stack(edges, 1)
