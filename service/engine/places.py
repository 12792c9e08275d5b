"""Who lives where while a change to the catalogue is worked out: semantic IDs given up, taken, free."""

from collections.abc import Iterable
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from service.errors import ConflictError, InvalidRequestError
from service.search import trie as tries
from service.search.trie import Trie

I32 = NDArray[np.int32]
Sid = tuple[int, ...]


class Places:
    """The places of a trie, changed on paper. A row never moves: it lives at its own semantic ID or nowhere.

    Nothing but what the change names is looked at; many looked up at once (`look_up`) are several times as fast.
    """

    def __init__(self, trie: Trie, sids: I32, codebook: int) -> None:
        self._trie, self._sids, self._depth, self._codebook = trie, sids, trie.depth, codebook
        self._left: set[int] = set()
        self._back: set[int] = set()
        self._new: list[Sid] = []
        self._taken: dict[Sid, bool] = {}  # is this place taken now?
        self._beside: dict[Sid, dict[int, bool]] = {}  # by all codes but the last: are these last ones taken now?
        self._kept: set[Sid] = set()  # places of those who left

    def look_up(self, sids: Iterable[Sid]) -> None:
        """Find out which of these places are taken, before anything changes."""
        asked = [sid for sid in sids if self._fits(sid)]
        if asked:
            nodes = self._trie.find_all(np.array(asked, np.int32)).tolist()
            self._taken = {sid: node > 0 for sid, node in zip(asked, nodes, strict=True)}

    def leave(self, row: int) -> bool:
        """Give up the place of a row; False where it has none."""
        if not self._lives(row):
            return False
        sid = self._sid(row)
        self._left.add(row)
        self._kept.add(sid)
        self._note(sid, False)
        return True

    def come_back(self, row: int, sid: Sid | None) -> bool:
        """Return a row to its place, which `sid` may only confirm; False where it never left.

        Raises:
            ConflictError: another item lives there now, or `sid` is elsewhere.
        """
        if self._lives(row):
            return False
        if sid is not None and tuple(sid) != self._sid(row):
            raise ConflictError(f"a retired item comes back to its semantic ID {self._sid(row)}, not to {tuple(sid)}.")
        self._take(self._sid(row))
        self._back.add(row)
        return True

    def settle(self, sid: Sid) -> int:
        """The new row of an item that moves in at `sid`.

        Raises:
            InvalidRequestError: no semantic ID of this catalogue.
            ConflictError: another item lives there.
        """
        sid = tuple(sid)
        if sid not in self._taken and not self._fits(sid):
            raise InvalidRequestError(f"{sid} is not {self._depth} codes from 0 to {self._codebook - 1}.")
        self._take(sid)
        self._new.append(sid)
        return len(self._sids) + len(self._new)

    def beside(self, row: int) -> Sid:
        """The first free place beside a row, one that no retired item could come back to if there is such a one.

        Raises:
            ConflictError: every last code beside it is taken.
        """
        prefix = self._sid(row)[:-1]
        taken = self._present(prefix)
        for code, now in self._beside.get(prefix, {}).items():
            (taken.add if now else taken.discard)(code)
        free = [code for code in range(self._codebook) if code not in taken]
        if not free:
            raise ConflictError(f"all {self._codebook} places beside {self._sid(row)} are taken.")
        nobodys = ((*prefix, code) for code in free if not self._somebodys((*prefix, code)))
        return next(nobodys, (*prefix, free[0]))

    @property
    def left(self) -> I32:
        """Rows that gave up their place."""
        return np.array(sorted(self._left), np.int32)

    @property
    def came(self) -> I32:
        """Rows that have a place and had none, new ones last."""
        new = 1 + len(self._sids) + np.arange(len(self._new))
        return np.array([*sorted(self._back), *new.tolist()], np.int32)

    def sids(self) -> I32:
        """Codes [I, d] of all rows, new ones last."""
        return np.concatenate([self._sids, np.array(self._new, np.int32).reshape(-1, self._depth)])

    def _fits(self, sid: Sid) -> bool:
        return len(sid) == self._depth and min(sid) >= 0 and max(sid) < self._codebook

    def _sid(self, row: int) -> Sid:
        known = len(self._sids)
        return tuple(self._sids[row - 1].tolist()) if row <= known else self._new[row - 1 - known]

    def _lives(self, row: int) -> bool:
        if row in self._left:
            return False
        return row in self._back or row > len(self._sids) or bool(self._trie.row_leaf[row])

    def _take(self, sid: Sid) -> None:
        taken = self._taken.get(sid)
        if self._trie.find(sid) > 0 if taken is None else taken:
            raise ConflictError(f"semantic ID {sid} is taken by another item.")
        self._note(sid, True)

    def _note(self, sid: Sid, taken: bool) -> None:
        self._taken[sid] = taken
        self._beside.setdefault(sid[:-1], {})[sid[-1]] = taken

    def _present(self, prefix: Sid) -> set[int]:
        """Last codes below a prefix before the change."""
        node = self._trie.find(prefix)
        if prefix and not node:
            return set()
        first, end = self._trie.first_child[node : node + 2]
        return set(self._trie.code[first:end].tolist())

    def _somebodys(self, sid: Sid) -> bool:
        """Could a retired item come back here?"""
        return sid in self._kept or (self._gone is not None and self._gone.find(sid) > 0)

    @cached_property
    def _gone(self) -> Trie | None:
        """The places of all who had none before the change; several may have lived at one."""
        sids = self._sids[self._trie.row_leaf[1:] == 0]
        sids = sids[np.lexsort(sids.T)]
        again = np.zeros(len(sids), np.bool_)
        again[1:] = (sids[1:] == sids[:-1]).all(1)
        return tries.build(sids[~again]) if len(sids) else None
