"""What is given back to the system is gone from the process; where the C library is another, nothing breaks."""

import subprocess
import sys

import pytest

from service import memory

FREED = """
from pathlib import Path
from service import memory

def resident():
    found = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon")]
    return int(found[0].split()[1]) << 10

memory.share_one_heap()
held = [bytearray(100_000) for _ in range(2000)]
last = bytearray(100_000)  # above them in the heap: without being told, nothing below it goes back
before = resident()
del held
memory.give_back()
print(before - resident())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc, and the C library of Linux")
def test_memory_that_was_freed_goes_back() -> None:
    done = subprocess.run([sys.executable, "-c", FREED], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 150e6


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_libc", None)
    memory.share_one_heap()
    memory.give_back()
