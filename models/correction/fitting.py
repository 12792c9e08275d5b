"""Fit the correction: lists as the finished network makes them for items it never trained on.

A network knows by heart what it trained on, and a correction trained on such near-perfect lists would learn nothing
(methods section 3). Its lists therefore come from setting A's validation items, which the network of setting A never
saw; the fitted correction then serves the network that was retrained on everything, whose lists for the next item
look alike.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.batches import pad, scoring_batches
from models.correction.network import COUNTED, WORST, Correction, Related
from models.correction.relations import Relations, build
from models.dataset import Cases, Dataset, Split
from models.network import Promise
from models.recipe import CorrectionRecipe
from models.saving import save
from models.training import Log

I32 = NDArray[np.int32]
WARMUP = 50  # steps


@dataclass(frozen=True)
class Lists:
    """Of U users the newest items int64 [U,L], newest first, and the best candidates int64 [U,C] with their inner
    rewards f32 [U,C]; place int64 [U] of the true item among them, -1 = not there.
    """

    history: Tensor
    candidates: Tensor
    reward: Tensor
    place: Tensor

    def parts(self, users: int) -> "Iterator[Lists]":
        """All of them, so many at a time, with whole histories."""
        for some in zip(*(x.split(users) for x in vars(self).values()), strict=True):
            yield Lists(*some)

    def take(self, users: Tensor) -> "Lists":
        """These users [N]; their histories no longer than the longest of them."""
        history = self.history[users]
        history = history[:, : int((history > 0).sum(1).max())]
        return Lists(history, self.candidates[users], self.reward[users], self.place[users])


def relations_of(network: Promise, dataset: Dataset, split: Split, recipe: CorrectionRecipe) -> Relations:
    """Relations of the split's training sequences; the profiles hold the texts and this network's item tokens."""
    with torch.no_grad():
        tokens = network.features.rows(network.catalogue) + network.features.code_sum(network.catalogue.sids)
        tokens[0] = 0
    return build(split.train, dataset.items.text, tokens.numpy(), recipe.profile)


@torch.no_grad()
def lists(network: Promise, cases: Cases, recipe: CorrectionRecipe) -> Lists:
    """The exact ranking's best leaves of every user, items of the whole history left out, or last and far behind."""
    users, pool = len(cases.targets), min(recipe.pool, network.catalogue.items)
    candidates, reward = torch.zeros((users, pool), dtype=torch.long), torch.zeros((users, pool))
    network.eval()
    for chosen, items, lengths in scoring_batches(cases.histories, 256, network.recipe.history):
        scores = network.leaf_scores(items, lengths)
        for row, user in enumerate(chosen):
            scores[row, torch.from_numpy(cases.histories[user].astype(np.int64))] = -torch.inf
        reward[chosen], candidates[chosen] = scores.topk(pool)
    history = torch.from_numpy(pad([h[::-1][: recipe.newest] for h in cases.histories]))
    left_out = reward.isneginf()  # where the pool is nearly the whole catalogue
    reward = torch.where(left_out, reward[:, :1] + WORST, reward)
    found = (candidates == torch.from_numpy(cases.targets.astype(np.int64))[:, None]) & ~left_out
    place = torch.where(found.any(1), found.int().argmax(1), -1)
    return Lists(history, candidates, reward, place)


def fitted(
    network: Promise, dataset: Dataset, split: Split, recipe: CorrectionRecipe, file: Path, seed: int, log: Log
) -> Correction:
    """The correction that this network's lists for the validation items teach; kept in `file` and read from there."""
    relations = relations_of(network, dataset, split, recipe)
    if file.exists():
        model = Correction(relations.groups + len(COUNTED), recipe)
        model.load_state_dict(torch.load(file, weights_only=True))
        return model.eval()
    model = fit(Related(relations), lists(network, split.validation, recipe), recipe, seed, log)
    save(model.state_dict(), file)
    return model


def fit(related: Related, known: Lists, recipe: CorrectionRecipe, seed: int, log: Log = lambda _: None) -> Correction:
    """Cross entropy of the true item within its list, over the lists that hold it.

    Raises:
        ValueError: no list holds its true item.
    """
    torch.manual_seed(seed)
    users = (known.place >= 0).nonzero().squeeze(1)
    if not len(users):
        raise ValueError("no list holds the item that was taken next: there is nothing to learn a correction from")
    known = known.take(users[torch.randperm(len(users))[: recipe.lists]])
    pairs = torch.cat([related(part.history, part.candidates).half() for part in known.parts(recipe.users)])
    model = Correction(related.features, recipe)
    optimizer = torch.optim.AdamW(model.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay)
    order = [torch.randperm(len(pairs)).split(recipe.users) for _ in range(recipe.epochs)]
    steps = sum(map(len, order))
    for step, chosen in enumerate(chain.from_iterable(order)):
        batch = known.take(chosen)
        rate = min(1.0, (step + 1) / WARMUP) * 0.5 * (1 + np.cos(np.pi * step / steps))
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate * rate
        read = pairs[chosen][:, :, : batch.history.shape[1]].float()
        loss = nn.functional.cross_entropy(_rewards(model, related, batch, read), batch.place)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 100 == 0 or step == steps - 1:
            log(f"correction: step {step + 1} of {steps}, loss {loss.item():.4f}")
    return model.eval()


def _rewards(model: Correction, related: Related, batch: Lists, pairs: Tensor) -> Tensor:
    """Rewards [B,C] of the batch's candidates."""
    rewards: Tensor = model(pairs, batch.history > 0, related.popularity[batch.candidates], batch.reward)
    return rewards


@torch.no_grad()
def ranks(model: Correction, related: Related, known: Lists) -> NDArray[np.int64]:
    """Place [U] of the true item after the correction, from 1 on; beyond the list where it is not there."""
    found = np.full(len(known.place), known.candidates.shape[1] + 1)
    for users in torch.arange(len(known.place)).split(256):
        batch = known.take(users)
        rewards = _rewards(model, related, batch, related(batch.history, batch.candidates))
        truth = rewards.gather(1, batch.place.clamp(min=0)[:, None])
        place = (rewards > truth).sum(1) + 1
        found[users] = torch.where(batch.place >= 0, place, rewards.shape[1] + 1).numpy()
    return found
