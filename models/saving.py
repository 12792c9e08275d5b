"""Weights on disk, whole or not at all."""

from pathlib import Path
from typing import Any

import torch

from models.staging import replaced


class SaveError(OSError):
    """Weights that could not be written; one sentence."""


def save(state: Any, path: Path) -> None:
    """Written beside and renamed, so that a cut run always finds a whole file.

    Raises:
        SaveError: the disk did not take it; what was there before is still there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replaced(path) as partial:
            torch.save(state, partial)
    except (OSError, RuntimeError) as error:  # a full disk is a RuntimeError to torch, which does not say what it was
        why = error.strerror if isinstance(error, OSError) else "is the disk full?"
        raise SaveError(f"{path}: cannot be written ({why}).") from error
