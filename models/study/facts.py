"""What an arm's labels look like: how many are 1 at every depth, what prefixes are worth, how many it learned from."""

import json
from dataclasses import asdict, dataclass, field
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from models import pipeline
from models.batches import training_batches
from models.dataset import Split
from models.labels import first
from models.network import Promise
from models.progress import graded, steps
from models.study.arms import Arm
from models.study.second import finished
from models.two_stages import LEARNED

BATCHES, USERS = 24, 256


@dataclass(frozen=True)
class Facts:
    """Of relative progress, means over a seeded sample of training positions, by the arm's finished generator.

    right: share of the rewarded prefixes of each depth whose label is 1; truth: of the true prefixes alone; weight:
    what the true prefix has of the target; value: V of the true path's prefixes, depths 0 .. d. All empty for prefix
    labels. learned: positions that the PRM of a second stage learned from, of `positions`; both 0 without.
    """

    right: list[float] = field(default_factory=list)
    truth: list[float] = field(default_factory=list)
    weight: list[float] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    learned: int = 0
    positions: int = 0


def facts_of(run: pipeline.Run, arm: Arm, split: Split) -> Facts:
    """Read from the arm's folder, or from its network and kept there; nothing where an arm has nothing to tell."""
    note, learned = run.folder / "labels.json", run.stage("A", "inner") / LEARNED
    if arm.trunk:
        return Facts(**json.loads(learned.read_text())) if learned.exists() else Facts()
    if arm.recipe.training.labels == "prefix":
        return Facts()
    if not note.exists():
        found = measured(finished(run, arm.recipe, run.folder.name), split)
        note.write_text(json.dumps(asdict(found), indent=1))
    return Facts(**json.loads(note.read_text()))


@torch.no_grad()
def measured(network: Promise, split: Split) -> Facts:
    """The facts of relative progress by this network's generator, over BATCHES of training users."""
    network.eval()
    catalogue, recipe = network.catalogue, network.training_recipe
    rows, rng = network.features.rows(catalogue), np.random.default_rng(0)
    columns: list[list[Tensor]] = [[], [], [], []]
    for items, targets in islice(training_batches(split.train, USERS, network.recipe.history, rng), BATCHES):
        where = targets > 0
        found = steps(network, network.encode(items, rows), targets, where)
        rewarded = graded(recipe, network.alike, targets, where)[1] > 0
        columns[0].append(_right(found.prefixes, found.labels, rewarded))
        columns[1].append(torch.stack([label[:, 0] for label in found.labels], 1).float())
        columns[2].append(torch.stack([weight[:, 0] for weight in found.weights], 1))
        columns[3].append(torch.stack([value[:, 0] for value in found.value], 1))
    right, *rest = (torch.cat(column) for column in columns)
    shares = right[:, :, 0].sum(0) / right[:, :, 1].sum(0)
    truth, weight, value = (_rounded(column.mean(0)) for column in rest)
    return Facts(_rounded(shares), truth, weight, value)


def _right(prefixes: list[Tensor], labels: list[Tensor], rewarded: Tensor) -> Tensor:
    """[P,d,2]: right prefixes and all, each once, of those below which a slot's item earns something."""
    once = [first(prefix) & rewarded for prefix in prefixes]
    counts = [torch.stack([(label & mine).sum(1), mine.sum(1)], 1) for label, mine in zip(labels, once, strict=True)]
    return torch.stack(counts, 1)


def _rounded(values: Tensor) -> list[float]:
    return [round(float(value), 4) for value in values]
