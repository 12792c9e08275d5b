"""Weights on disk, whole or not at all."""

from pathlib import Path
from typing import Any

import torch


class SaveError(OSError):
    """Weights that could not be written; one sentence."""


def save(state: Any, path: Path) -> None:
    """Written beside and renamed, so that a cut run always finds a whole file.

    Raises:
        SaveError: the disk did not take it; what was there before is still there.
    """
    beside = path.with_suffix(".tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(state, beside)
        beside.replace(path)
    except (OSError, RuntimeError) as error:  # a full disk is a RuntimeError to torch, which does not say what it was
        beside.unlink(missing_ok=True)
        why = error.strerror if isinstance(error, OSError) else "is the disk full?"
        raise SaveError(f"{path}: cannot be written ({why}).") from error
