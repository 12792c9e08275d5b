"""Encodings of a batch of histories, from where they are cheapest: the task, this process' cache, or the encoder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from service.engine.catalogue import Catalogue
from service.engine.padding import padded
from service.engine.protocol import F16, I32, Engine, Extension
from service.items import tokens
from service.tasks import Encodings, Task

NEWEST = 5  # events since the last visit, at most, over which a cached encoding is looked for


@dataclass(frozen=True, eq=False)
class Encoding:
    """`name` tells what an encoding depends on beside its history; an `extension` grows it from an older one."""

    engine: Engine
    catalogue: Catalogue
    encodings: Encodings
    name: str
    extension: Extension | None = None

    def __call__(self, tasks: Sequence[Task]) -> tuple[list[F16], dict[bytes, F16]]:
        """The encoding of every task, and those made just now; a history is encoded once however often it occurs."""
        known = {task.key: task.memory for task in tasks if task.memory is not None}
        for task in tasks:
            if task.key not in known and (found := self.encodings.peek(task.key, self.name)) is not None:
                known[task.key] = found
        missing = {task.key: task.rows for task in tasks if task.key not in known}
        fresh: dict[bytes, F16] = {}
        if missing:
            fresh = self._whole(missing) if self.extension is None else self._grown(missing, self.extension)
            for key, memory in fresh.items():
                self.encodings.keep(key, memory, self.name)
        known |= fresh
        return [known[task.key] for task in tasks], fresh

    def _whole(self, missing: Mapping[bytes, I32]) -> dict[bytes, F16]:
        """All of them in one batch."""
        codes, items, lengths = zip(*(tokens(self.catalogue, rows) for rows in missing.values()), strict=True)
        made = self.engine.encode(padded(codes), padded(items), np.concatenate(lengths))
        return {key: made[at, : len(rows)].copy() for at, (key, rows) in enumerate(missing.items())}

    def _grown(self, missing: Mapping[bytes, I32], extension: Extension) -> dict[bytes, F16]:
        """One by one, over the cached encoding of all but the newest items where there is one."""
        made = {}
        for key, rows in missing.items():
            codes, items, _ = (part[0] for part in tokens(self.catalogue, rows))
            made[key] = extension.encode(codes, items, self._before(codes, items))
        return made

    def _before(self, codes: I32, items: I32) -> F16 | None:
        """What memory has of this history as it was at the last visit."""
        for end in range(len(items) - 1, max(0, len(items) - 1 - NEWEST), -1):
            found = self.encodings.peek(self.encodings.key(self.name, codes[:end], items[:end]), self.name)
            if found is not None:
                return found
        return None
