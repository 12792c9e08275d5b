"""Keep freed memory in the process while training: giving it back and faulting it in again took half the CPU time."""

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_TOP_PAD = -1, -3, -2
KEEP = 1 << 29


def keep_freed_memory() -> bool:
    """Ask glibc to serve large blocks from its heap and never shrink it; True where that was possible."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        libc = ctypes.CDLL("libc.so.6")
        return all(libc.mallopt(option, KEEP) for option in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, M_TOP_PAD))
    except (OSError, AttributeError):
        return False
