"""What the C library keeps of memory that was freed: the process looks as large as it ever was, unless told."""

import ctypes
import sys
from typing import Any

ARENAS = -8  # M_ARENA_MAX of glibc's malloc.h


def share_one_heap() -> None:
    """One heap for all threads, before any of them has one of its own: a bundle loaded by another thread leaves none.

    Nothing where the C library is not glibc.
    """
    if (mallopt := _found("mallopt")) is not None:
        mallopt(ARENAS, 1)


def give_back() -> None:
    """Return what is free to the system, as after a bundle was let go; nothing where the C library is not glibc."""
    if (trim := _found("malloc_trim")) is not None:
        trim(0)


def _found(name: str) -> Any:
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
