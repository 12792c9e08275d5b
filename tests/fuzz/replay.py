"""Every input of a target's corpus once more, without a fuzzer: `python tests/fuzz/replay.py codec bundle`.

Each has a few seconds and the process little memory, so that what hangs or swells ends here. Says how many it tried.
"""

import importlib
import resource
import signal
import sys
from pathlib import Path
from types import FrameType

CORPUS = Path(__file__).with_name("corpus")
SECONDS = 20.0  # of wall clock for one input
MEMORY = 4 << 30  # bytes of address space for all


class TooLongError(Exception):
    """An input that takes too long."""


def replay(target: str) -> int:
    """Try the target's whole corpus; the number of inputs. Raises what an input broke, with its name."""
    one, files = importlib.import_module(f"target_{target}").one, sorted((CORPUS / target).iterdir())
    for file in files:
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        try:
            one(file.read_bytes())
        except Exception as error:
            error.add_note(f"with {file}")
            raise
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    return len(files)


def _too_long(_signal: int, _frame: FrameType | None) -> None:
    raise TooLongError(f"one input took more than {SECONDS:.0f} s")


if __name__ == "__main__":
    signal.signal(signal.SIGALRM, _too_long)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for name in sys.argv[1:]:
        print(f"{name}: {replay(name)} inputs", flush=True)  # noqa: T201 - its result
