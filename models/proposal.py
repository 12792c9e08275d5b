"""Which prefixes compete in a sampled softmax, and how often each was to be expected.

Most of a user's probability lies near what the user takes next. So beside uniform prefixes, and the batch's own
targets, prefixes are drawn below every ancestor of those targets. Any such choice keeps the estimate of the softmax's
normaliser unbiased, as every class has a chance and weighs one over its expected count.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from models.catalogue import CatalogueTensors


@dataclass(frozen=True)
class Drawn:
    """classes int64 [U], ascending, the batch's targets among them; bias float32 [U], log of draws / expected draws."""

    classes: Tensor
    bias: Tensor


@dataclass(frozen=True)
class Kin:
    """Descendants at one depth of the prefixes of one depth above: ancestor int64 [V]; start int64 [V_above + 1]."""

    ancestor: Tensor
    start: Tensor

    @staticmethod
    def of(catalogue: CatalogueTensors, above: int, b: int) -> "Kin":
        """Of 0-based depth b under 0-based depth `above` < b."""
        items = torch.zeros(catalogue.counts[b], dtype=torch.long)
        items[catalogue.member(b)[1:]] = torch.arange(1, catalogue.items + 1)
        ancestor = catalogue.member(above)[items]
        counts = torch.bincount(ancestor, minlength=catalogue.counts[above])
        return Kin(ancestor, torch.cat([counts.new_zeros(1), counts.cumsum(0)]))

    def draw(self, targets: Tensor, count: int) -> Tensor:
        """[count] uniform descendants of the ancestors of random targets."""
        chosen = self.ancestor[targets[torch.randint(len(targets), (count,))]]
        low, size = self.start[chosen], self.start[chosen + 1] - self.start[chosen]
        return low + (torch.rand(count) * size).long().clamp(max=size - 1)

    def expected(self, targets: Tensor, classes: Tensor) -> Tensor:
        """[U] chance that one draw is each class."""
        above = self.ancestor[classes]
        share = torch.bincount(self.ancestor[targets], minlength=len(self.start) - 1) / len(targets)
        return share[above] / (self.start[above + 1] - self.start[above])


class Proposal:
    """Draws competitors of one depth; shares the draws evenly between uniform ones and those below each ancestor."""

    def __init__(self, catalogue: CatalogueTensors, b: int) -> None:
        self.classes, self.kin = catalogue.counts[b], [Kin.of(catalogue, above, b) for above in range(b)]

    def draw(self, targets: Tensor, count: int) -> Drawn:
        """About `count` draws beside `targets` int64 [P], each of which takes part once."""
        each = max(1, count // (1 + len(self.kin)))
        draws = [kin.draw(targets, each) for kin in self.kin]
        drawn = torch.cat([targets.unique(), torch.randint(self.classes, (each,)), *draws])
        classes, counts = drawn.unique(return_counts=True)
        present = torch.zeros(len(classes)).index_fill_(0, torch.searchsorted(classes, targets), 1.0)
        chance = torch.full((len(classes),), 1 / self.classes)
        for kin in self.kin:
            chance = chance + kin.expected(targets, classes)
        return Drawn(classes, torch.log(counts / (present + each * chance)))
