"""ONNX against PyTorch, at export: the same graph, the same inputs, every history length."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models import contract
from models.contract import GraphSignature
from models.network import Promise

TOLERANCE = 1e-4
# memory leaves the encoder in fp16: both sides may round to neighbours, half a unit in the last place each.
FP16_ROUNDING = 2.0**-11


class ParityError(RuntimeError):
    """An exported graph does not compute what PyTorch computes; the sentence names graph, output and difference."""


@torch.no_grad()
def check_parity(graph: nn.Module, signature: GraphSignature, path: Path, network: Promise, seed: int = 0) -> float:
    """Largest |ONNX - PyTorch| over the checked inputs, relative to max(1, |value|).

    Raises:
        ParityError: beyond 1e-4 (plus the rounding of fp16 outputs), or integer outputs that differ.
    """
    options = ort.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 3, 1
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    worst = 0.0
    for feeds in examples(signature, network, torch.Generator().manual_seed(seed)):
        found = session.run(signature.outputs, {name: value.numpy() for name, value in feeds.items()})
        wanted = graph(*feeds.values())
        wanted = wanted if isinstance(wanted, tuple) else (wanted,)
        for name, onnx, torch_value in zip(signature.outputs, found, wanted, strict=True):
            worst = max(worst, _difference(signature.file, name, onnx, torch_value.numpy()))
    return worst


def _difference(file: str, name: str, onnx: NDArray[Any], wanted: NDArray[Any]) -> float:
    if onnx.dtype != wanted.dtype or onnx.shape != wanted.shape:
        raise ParityError(f"{file}: '{name}' is {onnx.dtype}{onnx.shape}, PyTorch gives {wanted.dtype}{wanted.shape}")
    if np.issubdtype(onnx.dtype, np.integer):
        if not np.array_equal(onnx, wanted):
            raise ParityError(f"{file}: '{name}' differs from PyTorch in {int((onnx != wanted).sum())} places")
        return 0.0
    finite = np.isfinite(wanted)
    a, b = onnx[finite].astype(np.float64), wanted[finite].astype(np.float64)
    gap = np.abs(a - b) / np.maximum(1.0, np.abs(b))
    allowed = TOLERANCE + (2 * FP16_ROUNDING if onnx.dtype == np.float16 else 0.0)
    worst = float(gap.max(initial=0.0))
    if not np.array_equal(finite, np.isfinite(onnx)) or worst > allowed:
        raise ParityError(f"{file}: '{name}' differs from PyTorch by {worst:.2e}, more than {allowed:.2e}")
    return worst


Feeds = dict[str, Tensor]


def examples(signature: GraphSignature, network: Promise, generator: torch.Generator) -> Iterator[Feeds]:
    """Inputs for one graph: the encoder at every history length, the others at several lengths, levels and widths."""
    if signature is contract.ENCODER:
        yield from (_encoder(network, length, generator) for length in range(1, network.recipe.history + 1))
        return
    build = {contract.GENERATOR: _generator, contract.PRM: _prm, contract.SCAN: _scan}[signature]
    for length in sorted({1, 2, network.recipe.history}):
        for level in range(network.catalogue.depth if signature is not contract.SCAN else 1):
            yield build(network, length, level, generator)


def _encoder(network: Promise, length: int, generator: torch.Generator) -> Feeds:
    items = torch.randint(0, network.catalogue.items + 1, (2, length), generator=generator)
    return {
        "codes": network.catalogue.sids[items].int(),
        "items": items.int(),
        "lengths": torch.tensor([length, (length + 1) // 2], dtype=torch.int32),
        "item_rows": network.features.rows(network.catalogue),
    }


def _encoding(network: Promise, length: int, generator: torch.Generator) -> Feeds:
    memory = torch.randn(2, length, network.recipe.width, generator=generator).half()
    return {"memory": memory, "lengths": torch.tensor([length, (length + 1) // 2], dtype=torch.int32)}


def _beams(network: Promise, level: int, nodes: int, generator: torch.Generator) -> Feeds:
    depth, codebook = network.catalogue.depth, network.catalogue.codebook
    prefix = torch.randint(0, codebook, (2, 6, depth), generator=generator, dtype=torch.int32)
    prefix[:, :, level:] = -1
    log_prob = -torch.rand(2, 6, generator=generator) * 9
    log_prob[:, -1] = -torch.inf
    node = torch.randint(1, nodes, (2, 6), generator=generator, dtype=torch.int32)
    return {"node": node, "prefix": prefix, "log_prob": log_prob}


def _generator(network: Promise, length: int, level: int, generator: torch.Generator) -> Feeds:
    """A made trie: 20 parents with 0 to 5 children each, in one contiguous block."""
    parents = 20
    counts = torch.randint(0, 6, (parents,), generator=generator)
    counts[0] = 5
    first = torch.cat([torch.zeros(1, dtype=torch.long), counts.cumsum(0)]) + parents
    nodes = int(first[-1])
    codes = torch.cat(
        [torch.randperm(min(network.catalogue.codebook, 64), generator=generator)[:n] for n in counts.tolist()]
    )
    beams = _beams(network, level, parents, generator)
    beams["node"][:, 0] = 0
    allowed = torch.rand(2, nodes, generator=generator) > 0.2
    return {
        **_encoding(network, length, generator),
        **beams,
        "first_child": torch.cat([first, torch.full((nodes - parents,), nodes)]).int(),
        "code": torch.cat([torch.zeros(parents, dtype=torch.long), codes]).int(),
        "allowed": allowed,
        "level": torch.tensor(level),
        "width": torch.tensor(5),
        "k_plus": torch.tensor(4),
    }


def _prm(network: Promise, length: int, level: int, generator: torch.Generator) -> Feeds:
    return {
        **_encoding(network, length, generator),
        **_beams(network, level, 40, generator),
        "node_rows": torch.randn(40, network.recipe.width, generator=generator),
        "level": torch.tensor(level),
        "k_keep": torch.tensor(3),
        "weight": torch.tensor(0.5),
    }


def _scan(network: Promise, length: int, _level: int, generator: torch.Generator) -> Feeds:
    return {
        **_encoding(network, length, generator),
        "leaf_rows": torch.randn(30, network.recipe.width, generator=generator),
        "allowed": torch.rand(2, 40, generator=generator) > 0.2,
        "k": torch.tensor(5),
    }
