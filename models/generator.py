"""The generator: a causal item-level history encoder, and a decoder over d codes whose beams are query rows.

One token per history item (design section 3): learned row + text projection + the sum of its code embeddings. A beam
is one query row, the sum of its prefix's code embeddings, over one encoding: memory is never copied per beam.
"""

import torch
from torch import Tensor, nn

from models.catalogue import CatalogueTensors
from models.layers import CrossBlock, Dropout, EncoderBlock, RMSNorm, causal_mask, embedding
from models.recipe import NetworkRecipe


class ItemFeatures(nn.Module):
    """What is known of an item: rows [I+1,D] (learned row + text projection) and code embeddings [d,M,D]."""

    def __init__(self, catalogue: CatalogueTensors, recipe: NetworkRecipe) -> None:
        super().__init__()
        self.learned = embedding(catalogue.items + 1, recipe.width) if recipe.item_rows else None
        self.codes = embedding(catalogue.depth * catalogue.codebook, recipe.width)
        words = catalogue.text.shape[1]
        self.text = nn.Linear(words, recipe.width, bias=False) if words else None
        self.width, self.codebook = recipe.width, catalogue.codebook
        if self.text is not None:
            nn.init.normal_(self.text.weight, std=0.02)

    def code_sum(self, codes: Tensor) -> Tensor:
        """Sum over the last axis of the embeddings of codes [.., b], the j-th from the j-th codebook → [.., D]."""
        offsets = torch.arange(codes.shape[-1], device=codes.device) * self.codebook
        return nn.functional.embedding(codes + offsets, self.codes).sum(-2)

    def rows(self, catalogue: CatalogueTensors) -> Tensor:
        """[I+1, D], row 0 zero: what an item has beyond its codes; this is the table that a bundle ships."""
        rows = catalogue.text.new_zeros(catalogue.items + 1, self.width)
        if self.learned is not None:
            rows = rows + self.learned
        if self.text is not None:
            rows = rows + self.text(catalogue.text)
        keep = torch.arange(len(rows), device=rows.device) > 0
        return rows * keep[:, None]

    def some(self, catalogue: CatalogueTensors, items: Tensor) -> Tensor:
        """[.., D]: what `rows` has at item rows [..], without making the rest."""
        rows = catalogue.text.new_zeros(*items.shape, self.width)
        if self.learned is not None:
            rows = rows + nn.functional.embedding(items, self.learned)
        if self.text is not None:
            rows = rows + self.text(catalogue.text[items])
        return rows * (items > 0)[..., None]


class HistoryEncoder(nn.Module):
    """Causal transformer over item tokens [B,T,D] → memory [B,T,D]; positions count from the oldest item read."""

    def __init__(self, recipe: NetworkRecipe) -> None:
        super().__init__()
        self.position = embedding(recipe.history, recipe.width)
        self.blocks = nn.ModuleList(
            EncoderBlock(
                recipe.width, recipe.heads, recipe.head_width, recipe.feed_forward, recipe.dropout, recipe.activation
            )
            for _ in range(recipe.encoder_layers)
        )
        self.norm = RMSNorm(recipe.width)
        self.dropout = Dropout(recipe.dropout)
        self.scale = recipe.width**0.5

    def forward(self, tokens: Tensor) -> Tensor:
        length = tokens.shape[1]
        x: Tensor = self.dropout((tokens + self.position[:length]) * self.scale)
        mask = causal_mask(length).to(x.device)
        for block in self.blocks:
            x = block(x, mask)
        memory: Tensor = self.norm(x)
        return memory


class Decoder(nn.Module):
    """Prefix → logits over the next code. Queries [B,Q,D] look at memory [B,T,D] and never at each other."""

    def __init__(self, catalogue: CatalogueTensors, recipe: NetworkRecipe) -> None:
        super().__init__()
        self.codebook, self.depth = catalogue.codebook, catalogue.depth
        self.codes = embedding(catalogue.depth * catalogue.codebook, recipe.width)
        self.level = embedding(catalogue.depth, recipe.width)
        self.head = embedding(catalogue.depth * catalogue.codebook, recipe.width)
        self.blocks = nn.ModuleList(
            CrossBlock(
                recipe.width, recipe.heads, recipe.head_width, recipe.feed_forward, recipe.dropout, recipe.activation
            )
            for _ in range(recipe.decoder_layers)
        )
        self.norm = RMSNorm(recipe.width)
        self.scale = recipe.width**0.5

    def queries(self, codes: Tensor) -> Tensor:
        """All d teacher-forced queries of paths [.., d] → [.., d, D]: query b has seen codes 0 .. b - 1."""
        offsets = torch.arange(self.depth, device=codes.device) * self.codebook
        seen = nn.functional.embedding(codes + offsets, self.codes).cumsum(-2)
        before = torch.cat([torch.zeros_like(seen[..., :1, :]), seen[..., :-1, :]], dim=-2)
        queries: Tensor = (before + self.level) * self.scale
        return queries

    def query(self, prefix: Tensor, level: Tensor) -> Tensor:
        """One query per beam at run time: prefix [B,K,d] (-1 beyond), level [] → [B,K,D]."""
        offsets = torch.arange(self.depth, device=prefix.device) * self.codebook
        rows = nn.functional.embedding((prefix.clamp(min=0) + offsets), self.codes)
        seen = (rows * (prefix >= 0).to(rows.dtype)[..., None]).sum(-2)
        query: Tensor = (seen + self.level[level]) * self.scale
        return query

    def hidden(self, queries: Tensor, memory: Tensor, mask: Tensor) -> Tensor:
        """[B,Q,D] → normalised hidden rows [B,Q,D]."""
        for block in self.blocks:
            queries = block(queries, memory, mask)
        hidden: Tensor = self.norm(queries)
        return hidden

    def level_head(self, level: Tensor) -> Tensor:
        """Output embeddings [M,D] of one depth."""
        return self.head.view(self.depth, self.codebook, -1)[level]
