"""A heavy bundle with random weights (D = 256, 4 + 4 layers, 60 history items), exported once and then reused."""

import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from loadtest.bench import workload
from loadtest.bench.venvs import CACHE, ROOT, BenchError
from loadtest.bench.workload import World
from models import contract

HEAVY = workload.Sizes(d_model=256, d_kv=64, heads=4, d_ff=1024, encoder_layers=4, decoder_layers=4, history=60)
COMPLETE = "manifest.json"


def ensure(sizes: workload.Sizes = HEAVY, cache: Path = CACHE) -> Path:
    """The bundle's folder below `cache`, exported there unless it is.

    Raises:
        BenchError: the train extra is not installed, or the export failed.
    """
    name = f"D{sizes.d_model}-L{sizes.encoder_layers}-{sizes.decoder_layers}-T{sizes.history}-I{sizes.items}"
    name += f"-c{contract.CONTRACT_VERSION}"  # of older graphs there may still be one
    folder = cache / "bundles" / name
    if (folder / COMPLETE).exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as made:
        bundle = export(workload.build(sizes, 1), Path(made))
        shutil.rmtree(folder, ignore_errors=True)
        bundle.rename(folder)
    return folder


def export(world: World, folder: Path, kind: str = "inner") -> Path:
    """A bundle of random weights over this world, below `folder`, written by a process of its own: it imports torch.

    Raises:
        BenchError: the train extra is not installed, or the export failed.
    """
    if find_spec("torch") is None:
        raise BenchError("a bundle of random weights is made with torch: pip install 'promise-recommender[train]'")
    workload.save(world, folder)
    path = folder / "bundle"
    command = [sys.executable, "-m", "loadtest.bench.workers.random_bundle", kind, str(folder), str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"the bundle could not be exported: {(done.stderr.splitlines() or ['?'])[-1]}")
    return path
