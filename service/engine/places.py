"""Who lives where while a change to the catalogue is worked out: semantic IDs given up, taken, free."""

import numpy as np
from numpy.typing import NDArray

from service.errors import ConflictError, InvalidRequestError
from service.search.trie import Trie

I32 = NDArray[np.int32]
Sid = tuple[int, ...]


class Places:
    """The places of a trie, changed on paper. A row never moves: it lives at its own semantic ID or nowhere."""

    def __init__(self, trie: Trie, sids: I32, codebook: int) -> None:
        self._trie, self._sids, self._codebook = trie, sids, codebook
        self._lives = trie.row_leaf > 0
        self._new: list[Sid] = []
        self._changed: dict[Sid, bool] = {}  # is this place taken now?
        self._kept = {self._sid(row) for row in (1 + np.flatnonzero(~self._lives[1:])).tolist()}

    def leave(self, row: int) -> bool:
        """Give up the place of a row; False where it has none."""
        if not self._lives[row]:
            return False
        self._lives[row], self._changed[self._sid(row)] = False, False
        self._kept.add(self._sid(row))
        return True

    def come_back(self, row: int, sid: Sid | None) -> bool:
        """Return a row to its place, which `sid` may only confirm; False where it never left.

        Raises:
            ConflictError: another item lives there now, or `sid` is elsewhere.
        """
        if self._lives[row]:
            return False
        if sid is not None and tuple(sid) != self._sid(row):
            raise ConflictError(f"a retired item comes back to its semantic ID {self._sid(row)}, not to {tuple(sid)}.")
        self._take(self._sid(row))
        self._lives[row] = True
        return True

    def settle(self, sid: Sid) -> int:
        """The new row of an item that moves in at `sid`.

        Raises:
            InvalidRequestError: no semantic ID of this catalogue.
            ConflictError: another item lives there.
        """
        depth, codes = self._trie.depth, tuple(sid)
        if len(codes) != depth or not all(0 <= code < self._codebook for code in codes):
            raise InvalidRequestError(f"{codes} is not {depth} codes from 0 to {self._codebook - 1}.")
        self._take(codes)
        self._new.append(codes)
        return len(self._sids) + len(self._new)

    def beside(self, row: int) -> Sid:
        """The first free place beside a row, one that no retired item could come back to if there is such a one.

        Raises:
            ConflictError: every last code beside it is taken.
        """
        spare: Sid | None = None
        for code in range(self._codebook):
            sid = (*self._sid(row)[:-1], code)
            if self._taken(sid):
                continue
            if sid not in self._kept:
                return sid
            spare = spare or sid
        if spare is None:
            raise ConflictError(f"all {self._codebook} places beside {self._sid(row)} are taken.")
        return spare

    def living(self) -> I32:
        """Rows (1-based, ascending) that have a place."""
        arrived = len(self._sids) + 1 + np.arange(len(self._new))
        return np.concatenate([np.flatnonzero(self._lives), arrived]).astype(np.int32)

    def sids(self) -> I32:
        """Codes [I, d] of all rows, new ones last."""
        return np.concatenate([self._sids, np.array(self._new, np.int32).reshape(-1, self._trie.depth)])

    def _sid(self, row: int) -> Sid:
        known = len(self._sids)
        return tuple(self._sids[row - 1].tolist()) if row <= known else self._new[row - 1 - known]

    def _taken(self, sid: Sid) -> bool:
        taken = self._changed.get(sid)
        return self._trie.find(sid) > 0 if taken is None else taken

    def _take(self, sid: Sid) -> None:
        if self._taken(sid):
            raise ConflictError(f"semantic ID {sid} is taken by another item.")
        self._changed[sid] = True
