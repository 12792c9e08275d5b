"""How the C library keeps memory: one heap for all threads, and what lies free in it given back when a bundle goes."""

import ctypes
import sys

# malloc.h of glibc
TRIM_THRESHOLD, MMAP_THRESHOLD, ARENA_MAX = -1, -3, -8
FREE_KEPT = 128 << 20  # free bytes at the end of the heap that no call of free() returns: asking anew costs more
LARGE = 32 << 20  # bytes from which an array gets pages of its own


def share_one_heap() -> None:
    """Let all threads use one heap; before a second thread begins. Nothing happens where the C library is not glibc.

    By default each thread fills one of its own, and what a thread that loads bundles leaves is of no use to the device.
    Searches take no longer.
    """
    if _libc is not None:
        for name, value in ((ARENA_MAX, 1), (TRIM_THRESHOLD, FREE_KEPT), (MMAP_THRESHOLD, LARGE)):
            _libc.mallopt(name, value)


def give_back() -> None:
    """Return what is free to the system, as after a bundle was let go; nothing where the C library is not glibc."""
    if _libc is not None:
        _libc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    return library if hasattr(library, "gnu_get_libc_version") else None


_libc = _glibc()
