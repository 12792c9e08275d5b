"""The networks as the graphs of models.contract: what torch.onnx.export sees, top-K included."""

from typing import cast

import torch
from torch import Tensor, nn

from models.layers import length_mask
from models.network import Promise

IMPOSSIBLE = float("-inf")


class EncoderGraph(nn.Module):
    """models.contract.ENCODER."""

    def __init__(self, network: Promise) -> None:
        super().__init__()
        self.features, self.encoder = network.features, network.encoder

    def forward(self, codes: Tensor, items: Tensor, lengths: Tensor, item_rows: Tensor) -> Tensor:
        tokens = item_rows[items.long()] + self.features.code_sum(codes.long())
        memory: Tensor = self.encoder(tokens)
        inside = torch.arange(memory.shape[1])[None, :] < lengths[:, None]
        # Padding is zeroed, so that a history's encoding does not depend on the batch it was encoded in.
        return (memory * inside[..., None].to(memory.dtype)).half()


class GeneratorGraph(nn.Module):
    """models.contract.GENERATOR: only legal children are gathered and scored, over the trie's CSR arrays."""

    def __init__(self, network: Promise) -> None:
        super().__init__()
        self.decoder = network.decoder

    def forward(
        self,
        memory: Tensor,
        lengths: Tensor,
        node: Tensor,
        prefix: Tensor,
        log_prob: Tensor,
        first_child: Tensor,
        code: Tensor,
        allowed: Tensor,
        level: Tensor,
        width: Tensor,
        k_plus: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        logits = self.logits(memory.float(), lengths, prefix.long(), level)
        child, exists = self.child_slots(node.long(), first_child.long(), width)
        child_code = code.long()[child]
        scores = logits.gather(2, child_code).masked_fill(~exists, -1e9).log_softmax(-1)
        child, flat = child.flatten(1), (log_prob[..., None] + scores).flatten(1)
        legal = exists.flatten(1) & allowed.gather(1, child)
        k = cast(int, k_plus.item())
        torch._check(k >= 1)
        torch._check(k <= flat.shape[1])
        best, chosen = flat.masked_fill(~legal, IMPOSSIBLE).topk(k)
        parent = chosen // (flat.shape[1] // node.shape[1])
        slots = torch.arange(prefix.shape[-1])
        rows = prefix.long().gather(1, parent[..., None].expand(-1, -1, prefix.shape[-1]))
        grown = torch.where(slots == level, child_code.flatten(1).gather(1, chosen)[..., None], rows)
        return child.gather(1, chosen).int(), grown.int(), best, parent.int()

    def logits(self, memory: Tensor, lengths: Tensor, prefix: Tensor, level: Tensor) -> Tensor:
        """[B,K,M] over the codebook of this level."""
        mask = length_mask(lengths, torch.arange(memory.shape[1]))
        hidden = self.decoder.hidden(self.decoder.query(prefix, level), memory, mask)
        return hidden @ self.decoder.level_head(level).T

    def child_slots(self, node: Tensor, first_child: Tensor, width: Tensor) -> tuple[Tensor, Tensor]:
        """Child nodes [B,K,W] and whether each slot holds one."""
        count = width.item()
        torch._check(count >= 1)
        start = first_child[node]
        slots = torch.arange(count)
        exists = slots < (first_child[node + 1] - start)[..., None]
        return torch.where(exists, start[..., None] + slots, 0), exists


class PrmGraph(nn.Module):
    """models.contract.PRM, either form."""

    def __init__(self, network: Promise, form: str) -> None:
        super().__init__()
        prm = network.cross if form == "cross" else network.inner
        if prm is None:
            raise ValueError(f"this network was trained without the '{form}' PRM")
        self.prm = prm

    def forward(
        self,
        memory: Tensor,
        lengths: Tensor,
        node: Tensor,
        prefix: Tensor,
        log_prob: Tensor,
        node_rows: Tensor,
        level: Tensor,
        k_keep: Tensor,
        weight: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
        reward = self.prm.score(memory.float(), lengths, node_rows[node.long()], level)
        real = log_prob > -1e30
        score = torch.where(real, reward + weight * torch.where(real, log_prob, 0.0), IMPOSSIBLE)
        k = cast(int, k_keep.item())
        torch._check(k >= 1)
        torch._check(k <= score.shape[1])
        _, order = score.topk(k)
        kept_prefix = prefix.gather(1, order[..., None].expand(-1, -1, prefix.shape[-1]))
        kept = node.gather(1, order), kept_prefix, log_prob.gather(1, order), reward.gather(1, order)
        return order.int(), *kept, reward


class ScanGraph(nn.Module):
    """models.contract.SCAN: the inner-product PRM over every leaf at once."""

    def __init__(self, network: Promise) -> None:
        super().__init__()
        assert network.inner is not None
        self.prm, self.depth = network.inner, network.catalogue.depth

    def forward(
        self, memory: Tensor, lengths: Tensor, leaf_rows: Tensor, allowed: Tensor, k: Tensor
    ) -> tuple[Tensor, Tensor]:
        context = self.prm.newest(memory.float(), lengths, self.depth - 1)
        reward = context @ leaf_rows.T
        legal = allowed[:, allowed.shape[1] - leaf_rows.shape[0] :]
        count = cast(int, k.item())
        torch._check(count >= 1)
        torch._check(count <= reward.shape[1])
        best, leaf = reward.masked_fill(~legal, IMPOSSIBLE).topk(count)
        return leaf.int(), best
