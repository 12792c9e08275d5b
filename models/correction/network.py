"""The correction: a target-aware PRM for the leaves, on top of the inner product (methods section 3, "two speeds").

reward = scale · inner product + correction. Every pair of a candidate and a history item has a few features: how
alike the two are, how often they were taken together; a small network reads the pairs and attention over the history
pools them. What the inner product said is read as well: how far a candidate is behind the best of its list, and its
place there. Candidates are therefore given as a list, best inner product first.
"""

import torch
from torch import Tensor, nn

from models.correction.relations import Relations
from models.recipe import CorrectionRecipe

FAR = -1e9  # logit of a history item that is not there
WORST = -100.0  # behind the best of the list: what is further behind is filler
COUNTED = ("together", "cosine", "after")  # features of a pair beside one for every group of profiles
POPULARITY = 0.2  # brings log counts to the size of the other features


class Related(nn.Module):
    """Relations as tensors, and the features of pairs: inner products, together (plain and as a cosine), after."""

    profiles: Tensor
    popularity: Tensor
    neighbour: Tensor
    together: Tensor
    follower: Tensor
    after: Tensor

    def __init__(self, relations: Relations) -> None:
        super().__init__()
        self.groups = relations.groups
        for name, array in relations.arrays().items():
            tensor = torch.from_numpy(array)
            self.register_buffer(name, tensor.float() if tensor.is_floating_point() else tensor.long())

    @property
    def features(self) -> int:
        return self.groups + len(COUNTED)

    @torch.no_grad()
    def forward(self, history: Tensor, candidates: Tensor) -> Tensor:
        """history int64 [B,L], candidates int64 [B,C], item rows → [B,C,L,F]."""
        past, some = (self.profiles[x].unflatten(2, (self.groups, -1)).transpose(1, 2) for x in (history, candidates))
        alike = (some @ past.transpose(2, 3)).permute(0, 2, 3, 1)
        near = counted(self.neighbour, self.together, history, candidates)
        rarity = (-0.5 * self.popularity).exp()
        cosine = near * rarity[history][:, None] * rarity[candidates][:, :, None]
        then = counted(self.follower, self.after, history, candidates)
        return torch.cat([alike, torch.stack([near.log1p(), cosine, then.log1p()], -1)], -1)


def counted(items: Tensor, counts: Tensor, history: Tensor, candidates: Tensor) -> Tensor:
    """[B,C,L]: the count that the table row of history item l has for candidate c; 0 where it has none."""
    found = items[history][:, None] == candidates[:, :, None, None]
    return (found * counts[history][:, None]).sum(-1)


class Correction(nn.Module):
    """Lists of candidates, best inner product first → the rewards that rank them anew."""

    def __init__(self, features: int, recipe: CorrectionRecipe) -> None:
        super().__init__()
        width, heads = recipe.width, recipe.heads
        self.recipe, self.features = recipe, features
        self.scale = nn.Parameter(torch.ones(()))
        self.first, self.second = nn.Linear(features + 2, width), nn.Linear(width, width)
        self.attend = nn.Linear(width, heads)
        self.mix, self.reward = nn.Linear((heads + 1) * width + 3, width), nn.Linear(width, 1)
        self.dropout = nn.Dropout(recipe.dropout)
        nn.init.zeros_(self.reward.weight)
        nn.init.zeros_(self.reward.bias)

    def forward(
        self, pairs: Tensor, known: Tensor, popularity: Tensor, reward: Tensor, strange: Tensor | None = None
    ) -> Tensor:
        """pairs [B,C,L,F], history newest first; known bool [B,L]; popularity and inner reward [B,C] → [B,C].

        strange bool [B,C]: filler and candidates of which nothing is known; these are corrected by as much as the
        others on average. Of a history without any known item nothing is pooled.
        """
        told = self.first(torch.cat([pairs, ages(pairs.shape[2]).expand(*pairs.shape[:3], 2)], -1))
        told = self.second(nn.functional.gelu(told))
        active, there = nn.functional.gelu(told), known[:, None, :, None]
        share = self.attend(active).masked_fill(~there, FAR).softmax(2) * there
        pooled = (share.transpose(2, 3) @ told).flatten(2)
        mean = (active * there).sum(2) / (1 + known.sum(1))[:, None, None]
        gap = (reward - reward[:, :1]).clamp(min=WORST)
        own = torch.stack([POPULARITY * popularity, gap, places(reward.shape[1]).expand_as(gap)], -1)
        mixed = self.dropout(nn.functional.gelu(self.mix(torch.cat([pooled, mean, own], -1))))
        more: Tensor = self.reward(mixed).squeeze(-1)
        if strange is not None:
            others = (~strange).float()
            more = torch.where(strange, (more * others).sum(1, True) / (1e-6 + others.sum(1, True)), more)
        return self.scale * reward + more


def ages(length: int) -> Tensor:
    """[L,2]: two views of how long ago, for places of a history from the newest on."""
    age = torch.arange(length).float()
    return torch.stack([1 / (1 + age), age.log1p()], -1)


def places(length: int) -> Tensor:
    """[C]: logarithm of the place in the list, from 1 on."""
    return torch.arange(1, length + 1).float().log()
