"""A folder put in place whole or not at all."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """A folder beside `folder` that takes its place at the end; an error leaves what was there, and nothing else."""
    staging, before = folder.with_name(folder.name + ".partial"), folder.with_name(folder.name + ".before")
    for left in (staging, before):
        shutil.rmtree(left, ignore_errors=True)
    try:
        staging.mkdir(parents=True)
        yield staging
        if folder.exists():
            folder.rename(before)
        staging.rename(folder)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    shutil.rmtree(before, ignore_errors=True)
