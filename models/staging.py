"""Folders and files put in place whole or not at all."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """A folder beside `folder` that takes its place at the end; an error leaves what was there, and nothing else."""
    staging, before = folder.with_name(folder.name + ".partial"), folder.with_name(folder.name + ".before")
    _put_back(before, folder)
    for left in (staging, before):
        shutil.rmtree(left, ignore_errors=True)
    try:
        staging.mkdir(parents=True)
        yield staging
        if folder.exists():
            folder.rename(before)
        staging.rename(folder)
    except BaseException:
        _put_back(before, folder)
        shutil.rmtree(staging, ignore_errors=True)
        raise
    shutil.rmtree(before, ignore_errors=True)


def _put_back(before: Path, folder: Path) -> None:
    """What was stopped between the two renames has left only the older folder."""
    if before.exists() and not folder.exists():
        before.rename(folder)


@contextmanager
def replaced(file: Path) -> Iterator[Path]:
    """A file beside `file`, of the same suffix, that takes its place at the end; an error leaves what was there."""
    partial = file.with_name(f"{file.stem}.partial{file.suffix}")
    try:
        yield partial
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)
