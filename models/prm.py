"""Process reward models: one interface, two forms. `score(memory, prefixes) → reward`, a row per candidate prefix.

inner: a context per depth of the last hidden state · a row per valid prefix; trained with the full softmax over all
valid prefixes of the depth, the N → ∞ limit of PROMISE's InfoNCE (methods section 3).
cross: PROMISE's own form (arXiv 2601.04674, section 3.2): the prefix row queries the encoding through one
cross-attention block, then an MLP; InfoNCE against N uniform prefixes of the depth.
"""

import torch
from torch import Tensor, nn

from models.catalogue import CatalogueTensors
from models.generator import ItemFeatures
from models.layers import CrossBlock, RMSNorm, embedding, length_mask
from models.recipe import NetworkRecipe


def last(memory: Tensor, lengths: Tensor) -> Tensor:
    """Hidden state [B,D] of the newest item of memory [B,T,D]."""
    index = (lengths.long() - 1)[:, None, None].expand(-1, 1, memory.shape[-1])
    return memory.gather(1, index).squeeze(1)


class PrefixRows(nn.Module):
    """A row per valid prefix: learned + what the encoder shares (code sum and text; at the leaf, the item's token).

    Leaves learn a row of their own only with `own_leaves`; without, the leaf row is the item's input token, tied.
    """

    def __init__(self, catalogue: CatalogueTensors, recipe: NetworkRecipe, own_leaves: bool) -> None:
        super().__init__()
        self.depth = catalogue.depth
        counts = catalogue.counts if own_leaves else catalogue.counts[:-1]
        limit = recipe.row_limit or max(counts, default=0)
        self.learned = nn.ParameterList(embedding(count if count <= limit else 0, recipe.width) for count in counts)
        self.mass = embedding(len(counts), recipe.width) if max(counts, default=0) > limit else None

    def forward(
        self, catalogue: CatalogueTensors, features: ItemFeatures, item_rows: Tensor, b: int, detach: bool = False
    ) -> Tensor:
        """Rows [V_{b+1}, D] in node order; `detach` lets gradients reach only the rows learned here."""
        shared = self.shared(catalogue, features, item_rows, b)
        shared = shared.detach() if detach else shared
        return shared + self.own(catalogue, b) if b < len(self.learned) else shared

    def own(self, catalogue: CatalogueTensors, b: int, index: Tensor | None = None) -> Tensor:
        """Rows [.., D] learned here of all prefixes or those of `index`; beyond the row limit, of their mass alone."""
        rows: Tensor = self.learned[b]
        if len(rows) or self.mass is None:
            return rows if index is None else nn.functional.embedding(index, rows)
        leaves = catalogue.log_leaves(b)
        return (leaves if index is None else leaves[index])[..., None] * self.mass[b]

    def some(
        self, catalogue: CatalogueTensors, features: ItemFeatures, b: int, index: Tensor, detach: bool = False
    ) -> Tensor:
        """Rows [.., D] of the prefixes `index` int64 [..] of depth b + 1: as `forward`, without making the rest."""
        if b == self.depth - 1:
            items = catalogue.leaf_items[index]
            rows = features.some(catalogue, items) + features.code_sum(catalogue.sids[items])
        else:
            rows = features.code_sum(catalogue.prefix_codes(b)[index])
            rows = rows if features.text is None else rows + features.text(catalogue.prefix_text(b)[index])
        rows = rows.detach() if detach else rows
        return rows + self.own(catalogue, b, index) if b < len(self.learned) else rows

    def shared(self, catalogue: CatalogueTensors, features: ItemFeatures, item_rows: Tensor, b: int) -> Tensor:
        """[V_{b+1}, D] from the encoder's own features."""
        if b == self.depth - 1:
            tokens = item_rows[1:] + features.code_sum(catalogue.sids[1:])
            return torch.zeros_like(tokens).index_copy(0, catalogue.member(b)[1:], tokens)
        codes = features.code_sum(catalogue.prefix_codes(b))
        return codes if features.text is None else codes + features.text(catalogue.prefix_text(b))


class InnerPRM(nn.Module):
    """Reward = context of the depth · prefix row.

    The context starts from the newest item's hidden state; with `context_layers` it then looks back over the whole
    encoding, once per request and depth, whatever the number of candidates.
    """

    def __init__(self, depth: int, recipe: NetworkRecipe) -> None:
        super().__init__()
        self.context = nn.Parameter(torch.eye(recipe.width).repeat(depth, 1, 1))
        self.level = embedding(depth, recipe.width)
        self.blocks = nn.ModuleList(
            CrossBlock(
                recipe.width, recipe.heads, recipe.head_width, recipe.feed_forward, recipe.dropout, recipe.activation
            )
            for _ in range(recipe.context_layers)
        )
        self.norm = RMSNorm(recipe.width)

    def contexts(self, hidden: Tensor, memory: Tensor, level: int | Tensor, mask: Tensor) -> Tensor:
        """Hidden states [B,Q,D] that look at memory [B,T,D] under mask [..,Q,T] → contexts [B,Q,D] of one depth."""
        contexts = hidden @ self.context[level]
        if not len(self.blocks):
            return contexts
        contexts = contexts + self.level[level]
        for block in self.blocks:
            contexts = block(contexts, memory, mask)
        normed: Tensor = self.norm(contexts)
        return normed

    def newest(self, memory: Tensor, lengths: Tensor, level: int | Tensor) -> Tensor:
        """The context [B,D] of whole histories."""
        mask = length_mask(lengths, torch.arange(memory.shape[1], device=memory.device))
        return self.contexts(last(memory, lengths)[:, None], memory, level, mask).squeeze(1)

    def score(self, memory: Tensor, lengths: Tensor, rows: Tensor, level: Tensor) -> Tensor:
        """memory [B,T,D], candidate rows [B,C,D] → rewards [B,C]."""
        context = self.newest(memory, lengths, level)
        return (rows @ context[:, :, None]).squeeze(-1)


class CrossPRM(nn.Module):
    """Reward = MLP(cross-attention of the prefix row over the encoding), RMSNorm inside, candidates apart."""

    def __init__(self, depth: int, recipe: NetworkRecipe) -> None:
        super().__init__()
        head_width = recipe.heads * recipe.head_width // recipe.cross_heads // 2
        self.block = CrossBlock(recipe.width, recipe.cross_heads, head_width, 2 * recipe.width, recipe.dropout / 2)
        self.level = embedding(depth, recipe.width)
        self.norm = RMSNorm(recipe.width)
        self.reward = nn.Sequential(nn.Linear(recipe.width, recipe.width), nn.GELU(), nn.Linear(recipe.width, 1))
        self.scale = recipe.width**0.5

    def forward(self, memory: Tensor, rows: Tensor, level: int | Tensor, mask: Tensor) -> Tensor:
        """memory [B,T,D], rows [B,C,D], mask [B,1,1,T] → rewards [B,C]."""
        hidden = self.block((rows + self.level[level]) * self.scale, memory, mask)
        reward: Tensor = self.reward(self.norm(hidden))
        return reward.squeeze(-1)

    def score(self, memory: Tensor, lengths: Tensor, rows: Tensor, level: Tensor) -> Tensor:
        """memory [B,T,D], candidate rows [B,C,D] → rewards [B,C]."""
        positions = torch.arange(memory.shape[1], device=memory.device)
        reward: Tensor = self(memory, rows, level, length_mask(lengths, positions))
        return reward
