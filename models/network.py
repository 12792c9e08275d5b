"""Generator and PRMs over shared features, trained jointly: total loss = next-code loss + PRM loss, unit weights."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.catalogue import CatalogueTensors
from models.generator import Decoder, HistoryEncoder, ItemFeatures
from models.guiding import guide_loss
from models.layers import causal_mask
from models.prm import CrossPRM, InnerPRM, PrefixRows
from models.prm_losses import check, cross_loss, inner_loss
from models.progress import Alike
from models.proposal import Proposal
from models.recipe import NetworkRecipe, TrainingRecipe
from models.softmax import Ragged, full_softmax_loss, ragged_softmax_loss
from models.survival import survival_loss

FEW = 32  # children a prefix: up to here gathering their rows beats a product with the whole codebook


class Promise(nn.Module):
    """Everything that a bundle exports. `loss` trains on all positions of padded sequences at once."""

    def __init__(
        self,
        sids: NDArray[np.int32],
        codebook: int,
        text: NDArray[np.float16] | None,
        recipe: NetworkRecipe,
        training: TrainingRecipe | None = None,
    ) -> None:
        super().__init__()
        self.recipe, self.training_recipe = recipe, training or TrainingRecipe()
        self.catalogue = CatalogueTensors(sids, codebook, text)
        self.features = ItemFeatures(self.catalogue, recipe)
        self.encoder = HistoryEncoder(recipe)
        self.decoder = Decoder(self.catalogue, recipe)
        self.inner = InnerPRM(self.catalogue.depth, recipe) if "inner" in recipe.prm else None
        self.cross: CrossPRM | None = None
        self.prefix_rows = nn.ModuleDict()
        if "inner" in recipe.prm:
            # On a finished generator the leaves cannot share what the encoder learns: they need rows of their own.
            apart = self.training_recipe.stages == "two"
            self.prefix_rows["inner"] = PrefixRows(self.catalogue, recipe, own_leaves=apart)
        if recipe.prm == ("cross",):
            self.attach_cross()
        limit = self.training_recipe.sampled or self.catalogue.items
        large = [b for b, count in enumerate(self.catalogue.counts) if count > limit]
        self.proposals = {b: Proposal(self.catalogue, b) for b in large}
        check(self.training_recipe, bool(large))
        self.alike = Alike.wanted(self.catalogue, self.training_recipe)

    def attach_cross(self) -> CrossPRM:
        """Give the network a cross-attention PRM. Beside an inner one it is trained afterwards (see CrossStage)."""
        self.cross = CrossPRM(self.catalogue.depth, self.recipe)
        self.prefix_rows["cross"] = PrefixRows(self.catalogue, self.recipe, own_leaves=True)
        return self.cross

    def encode(self, items: Tensor, item_rows: Tensor | None) -> Tensor:
        """Item rows [B,T] (0 = pad) → memory [B,T,D]; without the table `item_rows` only the rows needed are made."""
        if item_rows is None:
            rows = self.features.some(self.catalogue, items)
        else:
            rows = nn.functional.embedding(items, item_rows)
        memory: Tensor = self.encoder(rows + self.features.code_sum(self.catalogue.sids[items]))
        return memory

    def rows(self, b: int, item_rows: Tensor, form: str, detach: bool = False) -> Tensor:
        """Prefix rows [V_{b+1}, D] that the PRM of this form scores, in node order; `detach`: see PrefixRows."""
        rows: Tensor = self.prefix_rows[form](self.catalogue, self.features, item_rows, b, detach)
        return rows

    def loss(self, items: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """items, targets int64 [B,T], 0 = padding on the right; a mean loss per name, to be summed."""
        item_rows = None if self.proposals else self.features.rows(self.catalogue)
        memory = self.encode(items, item_rows)
        where = targets > 0
        losses = {"generator": self.generator_loss(memory, targets, where)}
        if self.inner is not None and self.training_recipe.stages == "joint":
            losses["inner"] = inner_loss(self, memory, item_rows, targets, where)
            if self.training_recipe.guided:
                losses["guide"] = guide_loss(self, memory, where, self.training_recipe.guided)
        elif self.inner is None and self.cross is not None and item_rows is not None:
            losses["cross"] = cross_loss(self, memory, item_rows, targets, where)
        return losses

    def generator_loss(self, memory: Tensor, targets: Tensor, where: Tensor) -> Tensor:
        """Next-code cross entropy, summed over depths; only children that exist in the trie compete."""
        batch, length, depth = *targets.shape, self.catalogue.depth
        paths = self.catalogue.sids[targets]
        queries = self.decoder.queries(paths).flatten(1, 2)
        mask = causal_mask(length).to(memory.device).repeat_interleave(depth, 0)
        hidden = self.decoder.hidden(queries, memory, mask).view(batch, length, depth, -1)[where].float()
        goals, total = targets[where], memory.new_zeros((), dtype=torch.float32)
        for b in range(depth):
            total = total + self.code_loss(hidden[:, b], b, goals)
        if self.training_recipe.survival:
            total = total + self.training_recipe.survival * survival_loss(self, memory, where, hidden, goals)
        return total

    def code_loss(self, hidden: Tensor, b: int, goals: Tensor) -> Tensor:
        """Cross entropy of hidden rows [P,D] against the children of the goals' prefixes of depth b; goals [P] rows."""
        head, codes = self.decoder.level_head(torch.tensor(b)).float(), self.catalogue.sids[goals, b]
        parents = torch.zeros_like(goals) if b == 0 else self.catalogue.member(b - 1)[goals]
        if not self.proposals:
            logits = (hidden @ head.T).masked_fill(~self.catalogue.next_codes(b, parents), -1e9)
            return nn.functional.cross_entropy(logits, codes)
        if b == 0:
            used = self.catalogue.next_codes(0)[0]
            return full_softmax_loss(hidden, head, codes, torch.where(used, 0.0, -torch.inf))
        owner, child = self.catalogue.below(b, parents)
        legal = Ragged(owner, self.catalogue.prefix_codes(b)[child, -1])
        if len(owner) < FEW * len(goals):
            return ragged_softmax_loss(hidden, head, codes, legal)
        return full_softmax_loss(hidden, head, codes, legal=legal)

    @torch.no_grad()
    def leaf_scores(self, items: Tensor, lengths: Tensor, form: str | None = None) -> Tensor:
        """Exact PRM reward of every item row [B, I+1] (row 0 = -inf) for histories [B,T], lengths [B]."""
        form = form or ("inner" if self.inner is not None else "cross")
        item_rows, depth = self.features.rows(self.catalogue), self.catalogue.depth
        memory = self.encode(items, item_rows)
        rows = self.rows(depth - 1, item_rows, form)
        if form == "inner" and self.inner is not None:
            scores = self.inner.newest(memory, lengths, depth - 1) @ rows.T
        else:
            assert self.cross is not None
            level = torch.tensor(depth - 1)
            scores = torch.cat(
                [self.cross.score(m[None], n[None], rows[None], level) for m, n in zip(memory, lengths, strict=True)]
            )
        by_item = scores[:, self.catalogue.member(depth - 1)]
        by_item[:, 0] = -torch.inf
        return by_item


class CrossStage(nn.Module):
    """Trains only the cross-attention PRM of a network whose generator and inner PRM are finished.

    Generator, encoding and inner form stay the same to the bit, so the two forms compare on one trunk. What it
    registers, and a checkpoint holds, is the cross form's own parameters.
    """

    def __init__(self, network: Promise) -> None:
        super().__init__()
        self.cross, self.rows = network.attach_cross(), network.prefix_rows["cross"]
        self.trunk = (network,)

    def loss(self, items: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """As Promise.loss, the cross form only."""
        (network,) = self.trunk
        with torch.no_grad():
            network.encoder.eval()
            item_rows = network.features.rows(network.catalogue)
            memory = network.encode(items, item_rows)
        return {"cross": cross_loss(network, memory, item_rows, targets, targets > 0)}

    def leaf_scores(self, items: Tensor, lengths: Tensor) -> Tensor:
        """Exact cross-attention reward of every item row [B, I+1]: dear, a forward pass per item."""
        (network,) = self.trunk
        return network.leaf_scores(items, lengths, "cross")
