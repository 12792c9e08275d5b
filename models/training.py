"""The training loop: joint loss, measured precision, resumable checkpoints, selection on validation."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models import distributed
from models.advance import Advance, unwatched
from models.averaging import Averaged
from models.batches import scoring_batches, thinned, training_batches
from models.recipe import Precision, TrainingRecipe
from models.saving import save

APART = 1 << 32  # between the seeds of two processes
I32 = NDArray[np.int32]
Log = Callable[[str], None]


class Trainable(Protocol):
    """What the loop needs of a network; `Promise` and `SASRec` are both trained by it."""

    def loss(self, items: Tensor, targets: Tensor) -> dict[str, Tensor]: ...

    def leaf_scores(self, items: Tensor, lengths: Tensor) -> Tensor: ...


@dataclass
class Progress:
    """Where a run stands; `best_epoch` is the selection on validation N@10 (0 = nothing validated yet)."""

    epoch: int = 0
    best_epoch: int = 0
    best: float = -1.0
    log: list[dict[str, float]] = field(default_factory=list)


def use_threads(count: int) -> None:
    """CPU threads of everything torch does from here on; 0 leaves them as they are."""
    if count:
        torch.set_num_threads(count)


def measured_precision(wanted: Precision) -> torch.dtype:
    """The faster of float32 and bfloat16 matrix products on this machine, unless the recipe names one."""
    if wanted != "auto":
        return torch.bfloat16 if wanted == "bfloat16" else torch.float32
    times = {}
    for dtype in (torch.float32, torch.bfloat16):
        a, b = torch.randn(2048, 256).to(dtype), torch.randn(256, 256).to(dtype)
        a @ b
        start = time.perf_counter()
        for _ in range(10):
            a @ b
        times[dtype] = time.perf_counter() - start
    return torch.bfloat16 if times[torch.bfloat16] < 0.8 * times[torch.float32] else torch.float32


@torch.no_grad()
def validate(
    model: Trainable, histories: list[I32], targets: I32, history: int, batch: int = 256
) -> tuple[float, float]:
    """Recall@10 and NDCG@10 of the exact ranking, items of the history excluded; full ranking, leave-one-out."""
    ranks = np.zeros(len(histories), np.int64)
    for chosen, items, lengths in scoring_batches(histories, batch, history):
        scores = model.leaf_scores(items, lengths)
        goal = torch.from_numpy(targets[chosen].astype(np.int64))[:, None]
        truth = scores.gather(1, goal)
        for row, index in enumerate(chosen):
            scores[row, torch.from_numpy(histories[index].astype(np.int64))] = -torch.inf
        ranks[chosen] = (scores > truth).sum(1).numpy() + 1
    hit = ranks <= 10
    return float(hit.mean()), float((hit / np.log2(ranks + 1)).mean())


class Trainer:
    """Trains `model` on sequences of item rows, checkpointing to `folder` after every epoch and resuming from it.

    Validated, kept and left in `model` at the end is the mean of the weights after the recipe's `averaged` newest
    epochs. With `stop` the loop ends there and the last epoch is the one kept, whatever validation says of others.
    Several processes train one model (models.distributed): the first of them writes, validates and tells.
    """

    def __init__(
        self,
        model: nn.Module,
        recipe: TrainingRecipe,
        history: int,
        folder: Path,
        log: Log = lambda _: None,
        advance: Advance = unwatched,
    ) -> None:
        self.model, self.recipe, self.history, self.folder = model, recipe, history, folder
        first = distributed.rank() == 0
        self.log: Log = log if first else (lambda _: None)
        self.advance: Advance = advance if first else unwatched
        self.trainable: Trainable = model  # type: ignore[assignment]  # nn.Module types every attribute Any
        self.optimizer = torch.optim.AdamW(
            model.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay, betas=(0.9, 0.98), fused=True
        )
        self.dtype = distributed.told(lambda: measured_precision(recipe.precision))
        self.progress = Progress()
        self.averaged = Averaged(model, recipe.averaged)

    def fit(self, sequences: list[I32], validation: tuple[list[I32], I32] | None, until: int | None = None) -> Progress:
        """Train to epoch `until` (default: the recipe's). With validation data the weights end as the best epoch's.

        Raises:
            RankError: a process that trains with this one is gone.
        """
        with distributed.together():
            return self._fit(sequences, validation, until)

    def _fit(self, sequences: list[I32], validation: tuple[list[I32], I32] | None, until: int | None) -> Progress:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.resume()
        distributed.same(self.progress.epoch, f"{self.folder} is not one folder to all of them")
        distributed.alike(self.model)
        shards, last = self.recipe.shards, until or self.last
        steps = -(-sum(len(s) > 1 for s in sequences[::shards]) // self.recipe.users)
        while self.progress.epoch < last:
            start, epoch = time.perf_counter(), self.progress.epoch
            losses = self.run_epoch(sequences[epoch % shards :: shards], epoch, steps, last)
            self.progress.epoch = epoch + 1
            self.averaged.add()
            row = {"epoch": epoch + 1, **losses, "train_s": time.perf_counter() - start}
            if validation is not None and self.due(epoch + 1):
                row |= self.agreed(validation)
            self.progress.log.append(row)
            self.log(" ".join(f"{k} {v:.4f}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()))
            self.checkpoint()
        if validation is not None and (self.folder / "best.pt").exists():
            self.model.load_state_dict(torch.load(self.folder / "best.pt", weights_only=True))
        else:
            self.averaged.settle()
        return self.progress

    @property
    def last(self) -> int:
        """The epoch that the recipe ends with."""
        return self.recipe.stop or self.recipe.epochs

    def run_epoch(self, sequences: list[I32], epoch: int, steps: int, last: int) -> dict[str, float]:
        rng = np.random.default_rng((self.recipe.seed, epoch))
        torch.manual_seed(self.recipe.seed * 1000 + epoch + APART * distributed.rank())  # masks of its own
        self.model.train()
        if self.recipe.augment:
            sequences = thinned(sequences, self.recipe.augment, rng)
        sums: dict[str, float] = {}
        for step, batch in enumerate(training_batches(sequences, self.recipe.users, self.history, rng)):
            self.set_rate((epoch * steps + step) / (self.recipe.epochs * steps))
            items, targets, part = distributed.share(*batch)
            with torch.autocast("cpu", torch.bfloat16, enabled=self.dtype is torch.bfloat16):
                losses = self.trainable.loss(items, targets)
            self.optimizer.zero_grad(set_to_none=True)
            (torch.stack(list(losses.values())).sum() * part).backward()
            distributed.add_up(self.model)
            nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip)
            self.optimizer.step()
            for name, loss in losses.items():
                sums[name] = sums.get(name, 0.0) + part * float(loss.detach()) / steps
            self.advance(self.folder.name, epoch * steps + step + 1, last * steps)
        return distributed.summed(sums)

    def set_rate(self, done: float) -> None:
        """Linear warm-up, then a cosine to zero over all the recipe's epochs; `done` in 0 .. 1."""
        rise = min(1.0, done / self.recipe.warmup) if self.recipe.warmup else 1.0
        fall = 0.5 * (1 + np.cos(np.pi * max(0.0, done - self.recipe.warmup) / (1 - self.recipe.warmup)))
        for group in self.optimizer.param_groups:
            group["lr"] = float(self.recipe.learning_rate * rise * fall)

    def due(self, epoch: int) -> bool:
        return epoch % self.recipe.validate_every == 0 or epoch == self.last

    def agreed(self, validation: tuple[list[I32], I32]) -> dict[str, float]:
        """`select` by the first process, for all: the ranking of a few thousand users is no work to share."""
        found = distributed.told(lambda: (self.select(validation), self.progress.best, self.progress.best_epoch))
        measured, self.progress.best, self.progress.best_epoch = found
        return measured

    def select(self, validation: tuple[list[I32], I32]) -> dict[str, float]:
        histories, targets = validation
        sample = np.random.default_rng(self.recipe.seed).permutation(len(histories))[: self.recipe.validation_users]
        self.model.eval()
        with self.averaged.shown():
            recall, ndcg = validate(self.trainable, [histories[i] for i in sample], targets[sample], self.history)
        if self.recipe.stop or ndcg > self.progress.best:
            self.progress.best, self.progress.best_epoch = ndcg, self.progress.epoch
            save(self.averaged.mean(), self.folder / "best.pt")
        return {"val_recall@10": recall, "val_ndcg@10": ndcg}

    def checkpoint(self) -> None:
        """Written beside and renamed, so that a cut run always finds a whole checkpoint; by the first process."""
        if distributed.rank() > 0:
            return
        state = {
            "model": self.averaged.mean(),
            "newest": self.averaged.newest,
            "optimizer": self.optimizer.state_dict(),
            "progress": vars(self.progress),
        }
        save(state, self.folder / "last.pt")
        (self.folder / "log.json").write_text(json.dumps(self.progress.log, indent=1))

    def resume(self) -> None:
        """Continue from `folder`/last.pt where there is one."""
        path = self.folder / "last.pt"
        if not path.exists():
            return
        state: dict[str, Any] = torch.load(path, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.averaged.restore(state.get("newest", []))
        self.optimizer.load_state_dict(state["optimizer"])
        self.progress = Progress(**state["progress"])
        self.log(f"resumed after epoch {self.progress.epoch}")
