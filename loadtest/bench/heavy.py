"""A heavy bundle with random weights (D = 256, 4 + 4 layers, 60 history items), exported once and then reused."""

import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from loadtest.bench import workload
from loadtest.bench.venvs import CACHE, ROOT, BenchError
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
    if find_spec("torch") is None:
        raise BenchError("the heavy bundle is exported with torch: pip install 'promise-recommender[train]'")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as made:
        workload.save(workload.build(sizes, 1), Path(made))
        export = [sys.executable, "-m", "loadtest.bench.workers.random_bundle", "inner", made, f"{made}/bundle"]
        done = subprocess.run(export, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BenchError(f"the heavy bundle could not be exported: {(done.stderr.splitlines() or ['?'])[-1]}")
        shutil.rmtree(folder, ignore_errors=True)
        Path(made, "bundle").rename(folder)
    return folder
