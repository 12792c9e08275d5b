"""Bootstrap heads on a finished network (GenPRM's votes, arXiv 2504.00891; methods section 4), and one interest query.

The context c of a depth is moved by a map of low rank per head: c + (c A) B. The vote of a head is the inner product
of its context with a prefix row, as the reward is. A vote is linear in its context, so the mean of all votes is one
inner product with the mean context: the mean costs nothing more per candidate than the reward it stands beside.
The last head is the predicted-interest query (Next Interest Flow, arXiv 2510.11317): what the next few items will be.
"""

import torch
from torch import Tensor, nn

from models.recipe import VotesRecipe


class Votes(nn.Module):
    """Contexts of the inner PRM → those of M heads and of the interest query, which stands last."""

    def __init__(self, depth: int, width: int, recipe: VotesRecipe) -> None:
        super().__init__()
        self.recipe, heads = recipe, recipe.heads + 1
        self.down = nn.Parameter(torch.randn(depth, heads, width, recipe.rank) * width**-0.5)
        self.up = nn.Parameter(torch.zeros(depth, heads, recipe.rank, width))

    def forward(self, context: Tensor, level: int) -> Tensor:
        """Contexts [N,D] of a 0-based level → [N,M+1,D]."""
        moved = torch.einsum("nd,hdr->nhr", context, self.down[level])
        return context[:, None] + torch.einsum("nhr,hrd->nhd", moved, self.up[level])

    def of_head(self, context: Tensor, level: int, head: int) -> Tensor:
        """The same of one head: [N,D] → [N,D]."""
        return context + context @ self.down[level, head] @ self.up[level, head]
