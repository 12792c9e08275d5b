"""Peer worker: Hugging Face T5 `generate`, token per code, constrained to the catalogue by a prefix function.

Usage: python -m loadtest.bench.workers.hf_t5 FOLDER CORE, in an environment with torch, transformers and numpy.
"""

import sys
from pathlib import Path

from loadtest.bench.workers import t5
from loadtest.bench.workers.protocol import Side, items_only, run
from loadtest.bench.workload import World


def open_side(world: World, _: Path) -> Side:
    """Raises ImportError outside the peer's environment."""
    threads, sizes = t5.one_thread(), world.sizes
    model = t5.build_model(sizes)
    model.set_attn_implementation("eager")  # measured here: a little faster than SDPA with one query per beam
    search = t5.generator(model, t5.tokens_of(world.sids, sizes.codebook), sizes, world.histories)
    return Side(search, items_only(sizes.returned), ("transformers", "torch", "numpy"), threads, t5.parameters(model))


if __name__ == "__main__":
    run(open_side, Path(sys.argv[1]), int(sys.argv[2]))
