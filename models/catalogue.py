"""The catalogue as training sees it: codes, the trie's nodes per depth, and text features, as fixed tensors."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


@dataclass(frozen=True)
class Prefixes:
    """Valid prefixes per depth, numbered in code order as the trie numbers its nodes.

    members[b] int32 [I]: index, within depth b + 1, of every item's prefix. codes[b] int32 [V_b, b + 1].
    """

    members: tuple[NDArray[np.int32], ...]
    codes: tuple[NDArray[np.int32], ...]

    @staticmethod
    def of(sids: NDArray[np.int32]) -> "Prefixes":
        """From codes [I, d]."""
        found = [np.unique(sids[:, : b + 1], axis=0, return_inverse=True) for b in range(sids.shape[1])]
        return Prefixes(
            tuple(inverse.reshape(-1).astype(np.int32) for _, inverse in found),
            tuple(np.asarray(codes, np.int32) for codes, _ in found),
        )


class CatalogueTensors(nn.Module):
    """Buffers: `sids` [I+1,d] (row 0 = pad, zeros), member_b [I+1] prefix index, first_b [V_b + 1] where the children
    of a prefix start among those of its depth, codes_b, `leaf_items` [I] item row of every leaf, `text` [I+1,E] and
    text_b [V_b,E] mean text below a prefix (E = 0 without text), leaves_b [V_b] log number of items below."""

    sids: Tensor
    text: Tensor
    leaf_items: Tensor

    def __init__(self, sids: NDArray[np.int32], codebook: int, text: NDArray[np.float16] | None) -> None:
        super().__init__()
        prefixes = Prefixes.of(sids)
        self.items, self.depth, self.codebook = len(sids), sids.shape[1], codebook
        self.counts = tuple(len(codes) for codes in prefixes.codes)
        self.keep("sids", np.concatenate([np.zeros((1, self.depth), np.int64), sids]))
        words = np.zeros((self.items, 0), np.float32) if text is None else text.astype(np.float32)
        self.keep("text", np.concatenate([np.zeros((1, words.shape[1]), np.float32), words]))
        parent = np.zeros(self.items, np.int64)
        for b, member in enumerate(prefixes.members):
            above = np.zeros(self.counts[b], np.int64)
            above[member] = parent
            self.keep(f"first_{b}", np.concatenate([[0], np.cumsum(np.bincount(above))]))
            self.keep(f"member_{b}", np.concatenate([[0], member]).astype(np.int64))
            self.keep(f"codes_{b}", prefixes.codes[b].astype(np.int64))
            mean = np.zeros((self.counts[b], words.shape[1]), np.float32)
            np.add.at(mean, member, words)
            leaves = np.bincount(member, minlength=self.counts[b])
            mean /= leaves[:, None]
            self.keep(f"text_{b}", mean)
            self.keep(f"leaves_{b}", np.log(leaves).astype(np.float32))
            parent = member.astype(np.int64)
        self.keep("leaf_items", np.argsort(parent) + 1)

    def keep(self, name: str, values: NDArray[np.generic]) -> None:
        self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(values)), persistent=False)

    def member(self, b: int) -> Tensor:
        """int64 [I+1]: prefix index at depth b + 1 of every item row."""
        return self.get_buffer(f"member_{b}")

    def next_codes(self, b: int, parents: Tensor | None = None) -> Tensor:
        """bool [P, M]: which codes may follow each of `parents` int64 [P], prefixes of depth b (b = 0: the root).

        Without `parents`, all of them in order.
        """
        first = self.get_buffer(f"first_{b}")
        parents = torch.arange(len(first) - 1, device=first.device) if parents is None else parents
        legal = torch.zeros(len(parents), self.codebook, dtype=torch.bool, device=first.device)
        owner, child = self.below(b, parents)
        legal[owner, self.prefix_codes(b)[child, -1]] = True
        return legal

    def below(self, b: int, parents: Tensor) -> tuple[Tensor, Tensor]:
        """Every child of parents int64 [P]: which of them owns it and its prefix index, both int64 [C], in order."""
        first = self.get_buffer(f"first_{b}")
        counts = first[parents + 1] - first[parents]
        owner = torch.arange(len(parents), device=first.device).repeat_interleave(counts)
        place = torch.arange(len(owner), device=first.device) - (counts.cumsum(0) - counts)[owner]
        return owner, first[parents][owner] + place

    def log_leaves(self, b: int) -> Tensor:
        """float [V_{b+1}]: log of the number of items below each prefix."""
        return self.get_buffer(f"leaves_{b}")

    def prefix_codes(self, b: int) -> Tensor:
        """int64 [V_{b+1}, b + 1]."""
        return self.get_buffer(f"codes_{b}")

    def prefix_text(self, b: int) -> Tensor:
        """float [V_{b+1}, E]."""
        return self.get_buffer(f"text_{b}")
