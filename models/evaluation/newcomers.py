"""Bundles with items that came after training: the service's own revision, and other rules for what rows they get."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.evaluation.ranking import open_engine
from service.engine.bundle import Bundle
from service.engine.graphs import OnnxEngine
from service.engine.regrow import learned_nodes, tables_for
from service.engine.revision import Change, NewItem, revise
from service.engine.tables import Tables, tables_of
from service.search.trie import Trie

I32 = NDArray[np.int32]
F32 = NDArray[np.float32]
Rule = Literal["service", "service long", "text", "text long", "both"]


@dataclass(frozen=True)
class Newcomers:
    """New items: ids, codes int32 [N, d], and the words of all items, known ones first, [I + N + 1, D]: the text
    projections that the network adds to what rows learn (row 0 unused)."""

    ids: Sequence[str]
    codes: I32
    words: F32

    def join(self, bundle: Bundle, rule: Rule) -> Bundle:
        """The bundle with these items. What their rows, and those of new prefixes, have beyond the sum of their codes:

        service: the mean of what neighbours have beyond theirs, as every item that is added online.
        text: their own text, nothing learned. both: their own text, and the mean of what neighbours learned beside
        theirs. long: and the whole row as long as those of the neighbours are on average; a mean is shorter than what
        it is the mean of, as is a row that lacks a part, and rewards are inner products.
        Rows of known items and prefixes stay as they are.

        Raises:
            PromiseError: the items cannot be added, as service.engine.revision says.
        """
        places = [tuple(map(int, path)) for path in self.codes]
        added = tuple(NewItem(item, sid=path) for item, path in zip(self.ids, places, strict=True))
        grown = revise(bundle, Change(add=added))
        return grown if rule == "service" else replace(grown, tables=self._tables(bundle, grown, rule))

    def _tables(self, bundle: Bundle, grown: Bundle, rule: Rule) -> Tables:
        trie, now = grown.trie, grown.tables
        rows, words = now.node_rows, mean_words(trie, self.words)
        new = np.flatnonzero(learned_nodes(trie, bundle.trie) == 0)[1:]  # without the root
        if rule == "both":
            apart = bundle.tables.node_rows - mean_words(bundle.trie, self.words)
            rows[new] = like_neighbours(grown, bundle, apart, now.code_rows)[new] + words[new]
        elif rule.startswith("text"):
            rows[new] = code_sums(trie, now.code_rows)[new] + words[new]
        if rule.endswith("long"):
            known = np.linalg.norm(bundle.tables.node_rows, axis=1, keepdims=True)
            wanted = like_neighbours(grown, bundle, known, np.zeros((*now.code_rows.shape[:2], 1), np.float32))[new]
            rows[new] *= wanted / np.maximum(np.linalg.norm(rows[new], axis=1, keepdims=True), 1e-6)
        return tables_of(now.item_rows.astype(np.float32), rows, now.code_rows)


def like_neighbours(grown: Bundle, bundle: Bundle, values: F32, codes: F32) -> F32:
    """[N, E] of a grown bundle's nodes: known ones have their own of values [N', E], new ones what their codes
    [d, M, E] come to and the mean of what neighbours have beyond theirs."""
    learned = tables_of(np.zeros((1, values.shape[1]), np.float32), values, codes)
    return tables_for(grown.trie, learned, bundle.trie, learned, bundle.trie).node_rows


def open_with(path: Path, new: Newcomers | None, rule: Rule, *, alone: bool = False, threads: int = 1) -> OnnxEngine:
    """An engine over the bundle in this folder, with new items where there are any; `alone`: nothing else on offer."""
    engine = open_engine(path, threads)
    if new is None:
        return engine
    grown = new.join(engine.bundle, rule)
    first = len(engine.bundle.catalogue.ids) + 1
    return engine.over(only(grown, range(first, first + len(new.ids))) if alone else grown)


def only(bundle: Bundle, rows: Sequence[int]) -> Bundle:
    """The bundle with nothing on offer but these item rows; the others stay known to histories."""
    kept = set(rows)
    return revise(bundle, Change(retire=tuple(x for x, row in bundle.catalogue.rows.items() if row not in kept)))


def mean_words(trie: Trie, words: F32) -> F32:
    """[N, D]: of every node the mean over the items below it of words [I + 1, D]; the root's stays zero."""
    total = np.zeros((trie.nodes, words.shape[1]), np.float32)
    leaves = np.zeros(trie.nodes, np.float32)
    total[trie.first_leaf :], leaves[trie.first_leaf :] = words[trie.leaf_row], 1
    for level in range(trie.depth, 1, -1):
        nodes = slice(trie.level_start[level], trie.level_start[level + 1])
        np.add.at(total, trie.parent[nodes], total[nodes])
        np.add.at(leaves, trie.parent[nodes], leaves[nodes])
    total /= np.maximum(leaves, 1)[:, None]
    return total


def code_sums(trie: Trie, codes: F32) -> F32:
    """[N, D]: the code embeddings [d, M, D] from the root down to every node, summed."""
    sums = np.zeros((trie.nodes, codes.shape[2]), np.float32)
    for level in range(trie.depth):
        nodes = slice(trie.level_start[level + 1], trie.level_start[level + 2])
        sums[nodes] = sums[trie.parent[nodes]] + codes[level, trie.code[nodes]]
    return sums
