"""One version of a bundle, ready to answer. Immutable: a request pins the one it began with, whatever is swapped in."""

from dataclasses import dataclass
from pathlib import Path

from service.budget.controller import Controller
from service.budget.ladder import Ladder
from service.engine.bundle import Bundle
from service.engine.catalogue import Catalogue
from service.search.trie import Trie
from service.searcher import Searcher


@dataclass(frozen=True, eq=False)
class Served:
    """A bundle in its slot: catalogue and trie, the ladder and the budget that walks it, the searcher that spends it.

    `history_limit`: the newest items its encoder reads. `encoder`: digest of what encodings depend on, the model part
    of their keys. `path` and `bundle` are None for a model that did not come from a folder.
    """

    slot: str
    name: str
    version: str
    catalogue: Catalogue
    trie: Trie
    ladder: Ladder
    controller: Controller
    searcher: Searcher
    history_limit: int
    encoder: str
    path: Path | None = None
    bundle: Bundle | None = None

    @property
    def history_block(self) -> int:
        """Items by which its window of newest items slides: more than one where encodings can grow."""
        return max(1, self.history_limit // 4) if self.searcher.extension else 1

    @property
    def tag(self) -> str:
        return f"{self.name}@{self.version}"
