"""The world every peer of the benchmark shares: model sizes, a synthetic catalogue, histories; JSON and npz on disk.

The workers read it back from the folder; this module needs numpy only, so it runs in a peer's environment too.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

I32 = NDArray[np.int32]
WORLD_JSON = "world.json"
WORLD_NPZ = "world.npz"
# Zipf-like exponent of the code draws: at 3 codes it leaves about the prefixes per depth of a real catalogue of 12 k
# items (256, some 7 thousand, 12,101), where uniform codes would give 11 thousand at depth 2
_SKEW = 0.8


@dataclass(frozen=True)
class Sizes:
    """Everything that must be equal on both sides; the defaults are the TIGER sizes on Amazon Beauty."""

    items: int = 12_101
    codes: int = 3
    codebook: int = 256
    history: int = 20
    d_model: int = 128
    d_ff: int = 1024
    d_kv: int = 64
    heads: int = 6
    encoder_layers: int = 4
    decoder_layers: int = 4
    beam: int = 50
    k_plus: int = 200
    returned: int = 10
    seed: int = 0


# Model shapes by name. tiger: the sizes of TIGER on Amazon Beauty, 4.6 M parameters in T5. large: 8 to 9 M.
SHAPES: Mapping[str, Mapping[str, int]] = {
    "tiger": {"d_model": 128, "heads": 6},
    "large": {"d_model": 256, "heads": 5},
}


@dataclass(frozen=True)
class World:
    """sids int32 [items, codes], every row its own path; histories int32 [requests, history], item rows from 1."""

    sizes: Sizes
    sids: I32
    histories: I32


def build(sizes: Sizes, requests: int) -> World:
    """Draw the catalogue and `requests` histories; the same sizes, requests and seed give the same world.

    Raises:
        ValueError: a size is not positive, or the codes cannot give every item its own path.
    """
    _check(sizes, requests)
    rng = np.random.default_rng(sizes.seed)
    return World(sizes, _draw_sids(sizes, rng), _draw_histories(sizes, requests, rng))


def _check(sizes: Sizes, requests: int) -> None:
    for name, value in {**asdict(sizes), "requests": requests}.items():
        if value < (0 if name == "seed" else 1):
            raise ValueError(f"{name} must be positive, not {value}")
    if 2 * sizes.items > sizes.codebook**sizes.codes:
        raise ValueError(f"{sizes.codes} codes of {sizes.codebook} are too few for {sizes.items} items")
    if sizes.history > sizes.items:
        raise ValueError(f"a history of {sizes.history} items needs a catalogue of at least as many")
    if sizes.k_plus < sizes.beam or sizes.returned > min(sizes.beam, sizes.items):
        raise ValueError("sizes must satisfy returned <= beam <= k_plus, and returned <= items")


def _draw_sids(sizes: Sizes, rng: np.random.Generator) -> I32:
    weights = np.arange(1, sizes.codebook + 1, dtype=np.float64) ** -_SKEW
    weights /= weights.sum()
    paths = np.empty((0, sizes.codes), np.int32)
    while len(paths) < sizes.items:
        drawn = rng.choice(sizes.codebook, (sizes.items, sizes.codes), p=weights).astype(np.int32)
        paths = np.unique(np.concatenate([paths, drawn]), axis=0)
    return np.ascontiguousarray(rng.permutation(paths)[: sizes.items])


def _draw_histories(sizes: Sizes, requests: int, rng: np.random.Generator) -> I32:
    rows = [rng.choice(sizes.items, sizes.history, replace=False) + 1 for _ in range(requests)]
    return np.asarray(rows, np.int32)


def save(world: World, folder: Path) -> None:
    """Write world.json and world.npz into an existing folder."""
    (folder / WORLD_JSON).write_text(json.dumps(asdict(world.sizes)))
    np.savez(folder / WORLD_NPZ, sids=world.sids, histories=world.histories)


def load(folder: Path) -> World:
    """Read back what `save` wrote."""
    sizes = Sizes(**json.loads((folder / WORLD_JSON).read_text()))
    with np.load(folder / WORLD_NPZ) as arrays:
        return World(sizes, arrays["sids"], arrays["histories"])
