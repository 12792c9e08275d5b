"""The in-process tier: least recently used values, bounded in bytes."""

import threading
from collections import OrderedDict

ENTRY_OVERHEAD = 200  # bytes a Python dict entry, its key and its value object cost beside the payload


class MemoryCache:
    """key → bytes, from any thread. A value larger than the whole cache is not kept."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.used_bytes = 0
        self._entries: OrderedDict[bytes, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: bytes) -> bytes | None:
        """The value, now the most recently used, or None."""
        with self._lock:
            value = self._entries.get(key)
            if value is not None:
                self._entries.move_to_end(key)
            return value

    def put(self, key: bytes, value: bytes) -> None:
        """Keep the value, dropping the least recently used ones until everything fits."""
        cost = _cost(key, value)
        with self._lock:
            if (old := self._entries.pop(key, None)) is not None:
                self.used_bytes -= _cost(key, old)
            if cost > self.limit_bytes:
                return
            self._entries[key] = value
            self.used_bytes += cost
            while self.used_bytes > self.limit_bytes:
                self.used_bytes -= _cost(*self._entries.popitem(last=False))


def _cost(key: bytes, value: bytes) -> int:
    return len(key) + len(value) + ENTRY_OVERHEAD
