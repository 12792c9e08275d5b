"""What a prefix stands for, against counting by hand."""

from collections import Counter

import numpy as np
import pytest
from made_bundle import made_bundle, named_catalogue

from service.engine.revision import Change, NewItem, revise
from service.lookup import prefixes
from service.lookup.prefixes import leaves_below, prefix
from service.search.trie import build

CATALOGUE = named_catalogue()
TRIE = build(CATALOGUE.sids)
SIDS = [tuple(sid) for sid in CATALOGUE.sids.tolist()]
PATHS = sorted({sid[:length] for sid in SIDS for length in (1, 2, 3)})


def rows_below(path: tuple[int, ...]) -> list[int]:
    return [row for row, sid in enumerate(SIDS, 1) if sid[: len(path)] == path]


@pytest.mark.parametrize("length", [1, 2, 3])
def test_every_prefix_counts_what_is_below_it(length: int) -> None:
    for path in (path for path in PATHS if len(path) == length):
        found, rows = prefix(CATALOGUE, TRIE, path), rows_below(path)
        assert found is not None
        assert (found.sid, found.items) == (path, len(rows))
        assert list(found.examples) == sorted(rows, key=lambda row: (-CATALOGUE.popularity[row - 1], row))[:3]
        codes = [CATALOGUE.category[row - 1] for row in rows]
        counts = Counter(CATALOGUE.categories[code] for code in codes if code >= 0 and CATALOGUE.categories[code])
        assert [share for _, share in found.categories] == [n / len(rows) for _, n in counts.most_common(3)]
        assert all(counts[name] == round(share * len(rows)) for name, share in found.categories)


@pytest.mark.parametrize("path", [(9,), (-1,), (0, 99), (10**9,), (0, 0, 0, 0), (1,) * 40])
def test_an_unknown_path_is_nobody(path: tuple[int, ...]) -> None:
    assert prefix(CATALOGUE, TRIE, path) is None


def test_leaves_below_a_node_are_one_range() -> None:
    assert leaves_below(TRIE, 0) == (TRIE.first_leaf, TRIE.nodes)
    assert leaves_below(TRIE, TRIE.nodes - 1) == (TRIE.nodes - 1, TRIE.nodes)


def test_a_huge_prefix_is_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    path = max(PATHS, key=lambda path: len(rows_below(path)) if len(path) == 1 else 0)
    whole = prefix(CATALOGUE, TRIE, path)
    monkeypatch.setattr(prefixes, "SAMPLE", 10)
    monkeypatch.setattr(prefixes, "NAMED", 1000)
    sampled = prefix(CATALOGUE, TRIE, path)
    assert whole is not None
    assert sampled is not None
    assert sampled.items == whole.items > 20
    assert len(sampled.examples) == 10
    assert set(sampled.examples) <= set(rows_below(path))
    spread = np.diff(np.sort(TRIE.row_leaf[list(sampled.examples)]))
    assert spread.max() - spread.min() <= 1


def test_after_a_change_prefixes_tell_of_what_is_on_offer() -> None:
    bundle = made_bundle(20)
    gone, like = bundle.catalogue.ids[0], bundle.catalogue.ids[1]
    changed = revise(bundle, Change(add=(NewItem("new", like=like, popularity=10**6),), retire=(gone,)))
    catalogue, trie = changed.catalogue, changed.trie
    assert prefix(catalogue, trie, catalogue.sids[0].tolist()) is None
    beside = prefix(catalogue, trie, catalogue.sids[1][:2].tolist())
    assert beside is not None
    assert beside.examples[0] == catalogue.rows["new"]
