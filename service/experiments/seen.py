"""The keys seen lately: a bounded memory for counting things once."""

from collections import OrderedDict
from collections.abc import Callable, Hashable


class Seen:
    """The `limit` most recently met keys; one that fell out counts as new again."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._keys: OrderedDict[Hashable, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._keys)

    def forget(self, unwanted: Callable[[Hashable], bool]) -> None:
        """Keys that count as new from now on."""
        for key in [key for key in self._keys if unwanted(key)]:
            del self._keys[key]

    def is_new(self, key: Hashable) -> bool:
        """Whether the key was not there; it is from now on, as the most recent one."""
        new = key not in self._keys
        self._keys[key] = None
        self._keys.move_to_end(key)
        if len(self._keys) > self._limit:
            self._keys.popitem(last=False)
        return new
