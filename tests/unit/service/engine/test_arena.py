"""What runs need in between comes from one arena of the process, however many versions are open."""

import json
import subprocess
import sys

import pytest
from tiny import Bundles

# Bytes outside the heap: before the first search, and after one of each of three versions.
GREW = """
import ctypes, json, sys
from pathlib import Path
import numpy as np
from service import memory
from service.engine.sessions import share_arena

memory.share_one_heap()
if sys.argv[2] == "shared":
    share_arena()

from service.engine.bundle import load
from service.engine.graphs import OnnxEngine

class Info(ctypes.Structure):
    _fields_ = [(f"field{n}", ctypes.c_size_t) for n in range(10)]

def apart():
    library = ctypes.CDLL(None)
    library.mallinfo2.restype = Info
    return library.mallinfo2().field4  # hblkhd

kept, found = [], [apart()]
for _ in range(3):
    kept.append(OnnxEngine(load(Path(sys.argv[1])), "cpu", 1))
    items = np.ones((4, 5), np.int32)
    kept[-1].encode(kept[-1].bundle.catalogue.sids[items - 1].astype(np.int32), items, np.full(4, 5, np.int32))
    found.append(apart())
print(json.dumps(found))
"""


def grown(bundles: Bundles, how: str) -> list[int]:
    """Bytes of pages won since before, after each version's search."""
    command = [sys.executable, "-c", GREW, str(bundles.inner), how]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    before, *after = json.loads(done.stdout)
    return [found - before for found in after]


@pytest.mark.skipif(sys.platform != "linux", reason="asks the C library of Linux")
def test_versions_share_one_arena(bundles: Bundles) -> None:
    first, *others = grown(bundles, "shared")
    assert first >= 32 << 20
    assert all(abs(other - first) < 1 << 20 for other in others)
    assert max(grown(bundles, "apart")) < 1 << 20
