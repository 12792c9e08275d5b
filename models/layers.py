"""Transformer pieces shared by encoder, decoder, PRM and the SASRec baseline; plain operators, so they export."""

from typing import Literal, cast

import numpy as np
import torch
from torch import Tensor, nn

Activation = Literal["gelu", "relu"]


class RMSNorm(nn.Module):
    """Root-mean-square normalisation over the last axis [.., D]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        scale = torch.rsqrt(x.float().square().mean(-1, keepdim=True) + 1e-6)
        return x * scale.to(x.dtype) * self.weight.to(x.dtype)


class Dropout(nn.Module):
    """Inverted dropout with masks from one byte per element: the stock generator draws took 29 % of a training step.

    The share is rounded to a 256th; the byte stream is seeded from torch's generator, so seeding torch seeds it.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.threshold = round(share * 256)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.threshold == 0:
            return x
        stream = np.random.SFC64(int(torch.randint(2**62, ())))
        drawn = np.frombuffer(np.random.Generator(stream).bytes(x.numel()), np.uint8)
        keep = torch.from_numpy(drawn >= self.threshold).view(x.shape)
        return x * (keep.to(x.dtype) * (256 / (256 - self.threshold)))


class FeedForward(nn.Module):
    """Two linear maps with an activation between, [.., D] → [.., D]."""

    def __init__(self, width: int, hidden: int, activation: Activation = "gelu") -> None:
        super().__init__()
        self.up, self.down, self.activation = nn.Linear(width, hidden), nn.Linear(hidden, width), activation

    def forward(self, x: Tensor) -> Tensor:
        active = nn.functional.gelu if self.activation == "gelu" else nn.functional.relu
        down: Tensor = self.down(active(self.up(x)))
        return down


class Attention(nn.Module):
    """Multi-head attention of queries [B,Q,D] over memory [B,T,D]; mask bool, broadcast to [B,1,Q,T]: True = look."""

    def __init__(self, width: int, heads: int, head_width: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.head_width = heads, head_width
        inner = heads * head_width
        self.query, self.key_value = nn.Linear(width, inner, bias=False), nn.Linear(width, 2 * inner, bias=False)
        self.out = nn.Linear(inner, width, bias=False)
        self.dropout = Dropout(dropout)

    def split(self, x: Tensor) -> Tensor:
        """[B,N,H*W] → [B,H,N,W]."""
        heads: Tensor = x.unflatten(-1, (self.heads, self.head_width)).transpose(1, 2)
        return heads

    def keys_values(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values [B,H,T,W]: once per memory, however many queries look at it."""
        key, value = self.key_value(memory).chunk(2, -1)
        return self.split(key), self.split(value)

    def forward(self, x: Tensor, memory: Tensor, mask: Tensor) -> Tensor:
        key, value = self.keys_values(memory)
        query = self.split(self.query(x))
        logits = query @ key.transpose(-1, -2) * self.head_width**-0.5
        weights = torch.softmax(logits.masked_fill(~mask, -1e9), dim=-1)
        out: Tensor = self.out((self.dropout(weights) @ value).transpose(1, 2).flatten(-2))
        return out


class EncoderBlock(nn.Module):
    """Pre-norm self-attention and feed-forward."""

    def __init__(
        self,
        width: int,
        heads: int,
        head_width: int,
        hidden: int,
        dropout: float,
        activation: Activation = "gelu",
    ) -> None:
        super().__init__()
        self.attend = Attention(width, heads, head_width, dropout)
        self.feed = FeedForward(width, hidden, activation)
        self.norm1, self.norm2 = RMSNorm(width), RMSNorm(width)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        normed = self.norm1(x)
        x = x + self.dropout(self.attend(normed, normed, mask))
        fed: Tensor = self.dropout(self.feed(self.norm2(x)))
        return x + fed


class CrossBlock(nn.Module):
    """Pre-norm cross-attention of query rows over one memory, then feed-forward; rows do not see each other."""

    def __init__(
        self,
        width: int,
        heads: int,
        head_width: int,
        hidden: int,
        dropout: float,
        activation: Activation = "gelu",
    ) -> None:
        super().__init__()
        self.attend = Attention(width, heads, head_width, dropout)
        self.feed = FeedForward(width, hidden, activation)
        self.norm1, self.norm2 = RMSNorm(width), RMSNorm(width)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, memory: Tensor, mask: Tensor) -> Tensor:
        x = x + self.dropout(self.attend(self.norm1(x), memory, mask))
        fed: Tensor = self.dropout(self.feed(self.norm2(x)))
        return x + fed


def layers_of(modules: nn.ModuleList) -> list[CrossBlock]:
    """The blocks of a decoder or an inner PRM."""
    return cast(list[CrossBlock], list(modules))


def causal_mask(length: int) -> Tensor:
    """[T, T] True where position t may look at s ≤ t."""
    return torch.ones(length, length, dtype=torch.bool).tril()


def length_mask(lengths: Tensor, positions: Tensor) -> Tensor:
    """[B,1,1,T] True on the first `lengths` positions."""
    return (positions[None, :] < lengths[:, None])[:, None, None, :]


def embedding(rows: int, width: int) -> nn.Parameter:
    """A table of `rows` vectors, N(0, 0.02²)."""
    return nn.Parameter(torch.randn(rows, width) * 0.02)
