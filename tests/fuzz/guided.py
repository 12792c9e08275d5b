"""Coverage-guided fuzzing of one target until so many minutes of processor time are spent.

    .venv/bin/python tests/fuzz/guided.py codec --minutes 10 --work /tmp/fuzz
    .venv/bin/python tests/fuzz/guided.py codec --minimise --work /tmp/fuzz      few inputs of the same coverage

The corpus of the repository and what earlier runs left in the work folder are where it begins. What breaks a target is
written to the work folder as crash-…; each input has 20 seconds and 2 GB.
"""

import argparse
import atexit
import importlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import atheris

TARGETS = ("codec", "bundle", "experiments", "events")
CORPUS = Path(__file__).with_name("corpus")
INSTRUMENTED = ["service", "models", "yaml", "json", "numpy.lib", "zipfile"]
LIMITS = ("-timeout=20", "-rss_limit_mb=2048", "-max_len=4096", "-print_final_stats=1")


def main() -> None:
    asked, given = _asked()
    with atheris.instrument_imports(include=INSTRUMENTED):
        target = importlib.import_module(f"target_{asked.target}")
    # A merge starts this program again and again by its first word, which a shell reads.
    again = f"{sys.executable} {__file__} {asked.target} --minimise"
    tried = target.one if asked.minimise else _timed(target.one, 60 * asked.minutes)
    atheris.Setup([again, *(given or _options(asked))], tried)
    atheris.Fuzz()


def _options(asked: argparse.Namespace) -> list[str]:
    """What the fuzzer is told: limits, words, folders. The first folder takes what is new."""
    work = (asked.work / asked.target).resolve()
    work.mkdir(parents=True, exist_ok=True)
    folders, options = [work, *([CORPUS / asked.target] if (CORPUS / asked.target).is_dir() else [])], [*LIMITS]
    if asked.minimise:
        least = work.with_name(f"{asked.target}-least")
        least.mkdir(exist_ok=True)
        folders, options = [least, *folders], [*options, "-merge=1", "-use_counters=0"]  # places reached, not how often
    words = Path(__file__).with_name("words") / f"{asked.target}.dict"
    options += [f"-dict={words}"] if words.is_file() else []
    return [*options, f"-artifact_prefix={work.parent}/{asked.target}-", *map(str, folders)]


def _timed(one: Callable[[bytes], None], seconds: float) -> Callable[[bytes], None]:
    """The same until the process has computed for so long; then it ends."""
    began, inputs = time.process_time(), 0

    def tried(data: bytes) -> None:
        nonlocal inputs
        one(data)
        inputs += 1
        if inputs % 64 == 0 and time.process_time() - began > seconds:
            print(f"done: {inputs} inputs in {time.process_time() - began:.0f} s of processor time", flush=True)  # noqa: T201 - its log
            atexit._run_exitfuncs()
            os._exit(0)  # the fuzzer has no end of its own but that of its wall clock

    return tried


def _asked() -> tuple[argparse.Namespace, list[str]]:
    """The command line, and what is the fuzzer's own of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--work", type=Path, default=Path("runs/fuzz"))
    parser.add_argument("--minimise", action="store_true")
    return parser.parse_known_args()


if __name__ == "__main__":
    main()
