"""A SASRec with random weights: encoder.onnx (item rows in, the newest item's hidden state out) and its item table.

Runs as its own process, so that the worker that serves it never imports torch.
Usage: python -m loadtest.bench.workers.sasrec_export WORLD_FOLDER FOLDER.
"""

import sys
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from loadtest.bench import workload
from loadtest.bench.workers.random_network import recipe
from loadtest.bench.workload import World
from models.generator import HistoryEncoder
from models.layers import EncoderBlock, causal_mask
from models.sasrec import SASRec


class NewestItem(nn.Module):
    """Item rows int64 [1,T] → the hidden state [1,D] that SASRec compares with its table."""

    def __init__(self, network: SASRec) -> None:
        super().__init__()
        self.table, self.encoder = network.learned, network.encoder

    def forward(self, items: Tensor) -> Tensor:
        return newest(self.encoder, nn.functional.embedding(items, self.table))


def newest(encoder: HistoryEncoder, tokens: Tensor) -> Tensor:
    """encoder(tokens)[:, -1] without computing the last block's other rows."""
    *before, last = encoder.blocks
    assert isinstance(last, EncoderBlock)
    x, mask = (tokens + encoder.position[: tokens.shape[1]]) * encoder.scale, causal_mask(tokens.shape[1])
    for block in before:
        x = block(x, mask)
    normed = last.norm1(x)
    row = x[:, -1:] + last.attend(normed[:, -1:], normed, torch.ones(1, 1, dtype=torch.bool))
    hidden: Tensor = encoder.norm(row + last.feed(last.norm2(row)))
    return hidden[:, 0]


def network_of(world: World) -> SASRec:
    """The same world gives the same weights."""
    torch.manual_seed(world.sizes.seed)
    return SASRec(world.sizes.items, None, recipe(world.sizes, "inner")).eval()


def write(world: World, folder: Path) -> None:
    """Export into `folder`, which is made."""
    network = network_of(world)
    folder.mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            NewestItem(network).eval(),
            (torch.ones(1, world.sizes.history, dtype=torch.int64),),
            dynamo=True,
            verbose=False,
            input_names=["items"],
            output_names=["hidden"],
        )
    assert program is not None
    program.save(str(folder / "encoder.onnx"), external_data=False)
    parameters = sum(values.numel() for values in network.encoder.parameters())
    np.savez(folder / "items.npz", table=network.learned.detach().numpy()[1:], parameters=np.int64(parameters))


if __name__ == "__main__":
    torch.set_num_threads(1)
    write(workload.load(Path(sys.argv[1])), Path(sys.argv[2]))
