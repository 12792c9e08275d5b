"""A bundle with a long window through the service's own rooms: what is cached grows and equals a whole encoding."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import BUNDLE_ITEMS, CODES, SIZES, Bundles, export_bundle, made_sids

from models import contract
from models.network import Promise
from service.cache.encodings import EncodingCache
from service.cache.memory import MemoryCache
from service.encoding import NEWEST
from service.engine import bundle as on_disk
from service.engine.extension import GraphExtension
from service.engine.graphs import OnnxEngine
from service.engine.protocol import F16, I32
from service.items import resolve, tokens
from service.loading import Loader, load_model
from service.search.guided import Deadline
from service.search.trie import banned
from service.served import Served
from service.settings import Settings
from service.tasks import Task

ALLOWED = 4 * 2.0**-11  # kept rows and memory are fp16


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    network = Promise(made_sids(BUNDLE_ITEMS), CODES, None, replace(SIZES, history=contract.LONG)).eval()
    path = tmp_path_factory.mktemp("long") / "long"
    export_bundle(network, "inner", path)
    return path


class Counting(GraphExtension):
    """Says how many items it had to encode."""

    encoded = 0

    def encode(self, codes: I32, items: I32, before: F16 | None) -> F16:
        self.encoded = len(items) - (0 if before is None else len(self.memory(before)))
        return super().encode(codes, items, before)


@pytest.fixture
def served(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Served:
    monkeypatch.setattr("service.engine.graphs.GraphExtension", Counting)
    settings = Settings(device="cpu")
    cache = EncodingCache(MemoryCache(1 << 24), None, 60)
    return Loader(settings, cache).serve("long", load_model(folder, settings))


def encoded(served: Served, rows: Sequence[int]) -> tuple[F16, int]:
    """The memory of a history, and how many of its items were encoded for it."""
    searcher, history = served.searcher, np.array(rows, np.int32)
    assert isinstance(searcher.extension, Counting)
    codes, items, _ = tokens(searcher.catalogue, history)
    key = searcher.encodings.key(searcher.encoder, codes[0], items[0])
    choice = served.ladder.choice("k10", "k10", "requested", 5)
    task = Task(history, key, None, banned(served.trie), 5, choice, "guided", None, None, None, False, Deadline())
    searcher.extension.encoded = 0
    encodings, _ = searcher.encode([task])
    return searcher.extension.memory(encodings[0]), searcher.extension.encoded


def test_a_history_that_grew_is_extended_and_equals_the_whole(served: Served) -> None:
    rows = np.random.default_rng(0).integers(1, BUNDLE_ITEMS + 1, 200).tolist()
    done = 150
    assert encoded(served, rows[:done])[1] == done
    for new in (1, NEWEST, NEWEST + 1, 0):
        done += new
        memory, count = encoded(served, rows[:done])
        assert count == (new if new <= NEWEST else done)
        codes, items, lengths = tokens(served.catalogue, np.array(rows[:done], np.int32))
        whole = served.searcher.engine.encode(codes, items, lengths)[0]
        np.testing.assert_allclose(memory.astype(np.float32), whole.astype(np.float32), rtol=ALLOWED, atol=ALLOWED)


def test_another_history_is_not_extended(served: Served) -> None:
    rows = list(range(1, 41))
    encoded(served, rows)
    assert encoded(served, [*rows[1:], 50])[1] == 40
    assert encoded(served, [50, *rows[1:], 51])[1] == 41
    assert encoded(served, [*rows, 50])[1] == 1


def test_a_full_window_slides_by_blocks_and_is_extended_in_between(served: Served) -> None:
    ids, limit = [*served.catalogue.ids] * 8, served.history_limit
    anew = []
    for length in range(limit, limit + 2 * served.history_block + 1):
        rows = resolve(served.catalogue, ids[:length], limit, served.history_block).rows
        anew.append(encoded(served, rows.tolist())[1] != 1)
    assert served.history_block == limit // 4
    assert np.flatnonzero(anew).tolist() == [0, 1, 1 + limit // 4]


def test_only_long_windows_have_it(folder: Path, bundles: Bundles) -> None:
    long, short = on_disk.load(folder), on_disk.load(bundles.inner)
    assert contract.EXTEND.file in long.manifest.files
    assert contract.EXTEND.file not in short.manifest.files
    assert OnnxEngine(short, "cpu").extension is None
    files = {name: digest for name, digest in long.manifest.files.items() if name != contract.EXTEND.file}
    bare = replace(long, manifest=long.manifest.model_copy(update={"files": files}))
    assert bare.encoder_digest != long.encoder_digest
    assert OnnxEngine(bare, "cpu").extension is None
