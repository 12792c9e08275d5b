"""A training that torchrun may start: tiny, seeded, without dropout unless asked for; its result lies in a folder."""

import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from tiny import CODES, HISTORY, SIZES, TRAINING, made_sequences, made_sids

from models import distributed
from models.network import Promise
from models.training import Trainer

ITEMS = 30
SEQUENCES = made_sequences(25, ITEMS)  # the last batch has one user: a process without one must take the step too
VALIDATION = ([rows[:-1] for rows in SEQUENCES], np.array([rows[-1] for rows in SEQUENCES], np.int32))


def train(folder: Path, dropout: float = 0.0, dies_after: int = 0) -> None:
    """Write log.json and the checkpoints; a process other than the first kills itself after so many epochs."""
    torch.manual_seed(0)
    sizes, recipe = replace(SIZES, dropout=dropout), replace(TRAINING, epochs=3, averaged=2)
    network = Promise(made_sids(ITEMS), CODES, None, sizes, recipe).train()
    trainer = Trainer(network, recipe, HISTORY, folder)
    if dies_after and distributed.rank() > 0:
        trainer.fit(SEQUENCES, VALIDATION, dies_after)
        os.kill(os.getpid(), signal.SIGKILL)
    progress = trainer.fit(SEQUENCES, VALIDATION)
    digest = float(torch.cat([weights.detach().flatten() for weights in network.parameters()]).double().sum())
    said = {"digest": digest, "best": progress.best, "epoch": progress.epoch, "best_epoch": progress.best_epoch}
    (folder / f"rank-{distributed.rank()}.json").write_text(json.dumps(said))


def join(meeting: Path, rank: int) -> None:
    """As torchrun would, without its processes: two that meet at a file."""
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=2)


if __name__ == "__main__":
    torch.set_num_threads(1)
    if len(sys.argv) > 4:
        join(Path(sys.argv[4]), 1)
    else:
        distributed.start()
    try:
        train(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))
    except distributed.RankError as error:
        sys.exit(str(error))
    distributed.end()
