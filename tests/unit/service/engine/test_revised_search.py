"""Real graphs over a revised bundle answer as they do over a bundle of the same items written from scratch."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tiny import BUNDLE_ITEMS, CODES, DEPTH, Bundles

from models import contract
from models.manifest import sha256
from service.engine.bundle import Bundle, load
from service.engine.graphs import OnnxEngine
from service.engine.regrow import learned_nodes
from service.engine.revision import Change, NewItem, revise
from service.items import rows_of, tokens
from service.search.guided import search
from service.search.plan import Plan, Rule
from service.search.trie import banned

Listed = list[tuple[str, float]]
PLAN = Plan.uniform(DEPTH, 12, 40, rule=Rule(leaf=0.2, prefix=1.0))
IDS = [f"i{number:03}" for number in range(BUNDLE_ITEMS)]
ALL_SIDS = np.stack(np.unravel_index(np.arange(CODES**DEPTH), (CODES,) * DEPTH), 1)


@pytest.fixture(scope="module", params=["inner", "cross"])
def engine(bundles: Bundles, request: pytest.FixtureRequest) -> OnnxEngine:
    return OnnxEngine(load(getattr(bundles, request.param)), "cpu", 1)


def answer(engine: OnnxEngine, history: Sequence[str], k: int = 10) -> Listed:
    """Item ids and scores."""
    catalogue, trie = engine.bundle.catalogue, engine.trie
    rows = np.array(rows_of(catalogue, history), np.int32)
    codes, items, lengths = tokens(catalogue, rows)
    context = engine.context(engine.encode(codes, items, lengths), lengths, [banned(trie, rows)])
    found = search(engine, context, PLAN, k)
    real = np.isfinite(found.log_prob[0])
    listed = [catalogue.ids[row - 1] for row in trie.rows(found.node[0, real])]
    return list(zip(listed, found.score[0, real].tolist(), strict=True))


def made_change(bundle: Bundle, seed: int, adding: int, leaving: int) -> Change:
    rng, catalogue = np.random.default_rng(seed), bundle.catalogue
    present = [catalogue.ids[row - 1] for row in rng.permutation(bundle.trie.leaf_row)]
    gone = present[:leaving]
    taken = {tuple(catalogue.sids[catalogue.rows[item] - 1].tolist()) for item in present[leaving:]}
    free = [sid for sid in map(tuple, rng.permutation(ALL_SIDS).tolist()) if sid not in taken]
    base = len(catalogue.ids)
    return Change(tuple(NewItem(f"n{base + n:03}", sid) for n, sid in enumerate(free[:adding])), tuple(gone))


@settings(max_examples=25, deadline=None)
@given(
    seeds=st.lists(st.integers(0, 10**6), min_size=1, max_size=3),
    adding=st.integers(0, 30),
    leaving=st.integers(1, 40),
    data=st.data(),
)
def test_a_revised_bundle_answers_like_one_from_scratch(
    engine: OnnxEngine,
    tmp_path_factory: pytest.TempPathFactory,
    seeds: list[int],
    adding: int,
    leaving: int,
    data: st.DataObject,
) -> None:
    bundle = engine.bundle
    for seed in seeds:
        bundle = revise(bundle, made_change(bundle, seed, adding, min(leaving, len(bundle.trie.leaf_row) // 2)))
    whole = scratch(bundle, tmp_path_factory.mktemp("scratch") / "bundle")
    new = np.flatnonzero(learned_nodes(bundle.trie, engine.trie)[1:] == 0) + 1
    mine, fresh = bundle.tables, whole.tables
    fresh.rows[fresh.row[new]] = mine.rows[mine.row[new]]  # what a new item is given is another test's business
    grown, written = engine.over(bundle), engine.over(whole)
    assert np.array_equal(bundle.tables.node_rows, whole.tables.node_rows)
    histories = st.lists(st.sampled_from(sorted(whole.catalogue.ids)), min_size=1, max_size=8)
    for history in data.draw(st.lists(histories, min_size=1, max_size=4)):
        assert answer(grown, history) == answer(written, history)


@pytest.mark.parametrize("seed", range(5))
def test_undoing_a_change_brings_back_the_answers(engine: OnnxEngine, seed: int) -> None:
    change = made_change(engine.bundle, seed, 9, 9)
    changed = revise(engine.bundle, change)
    undo = Change(tuple(map(NewItem, change.retire)), tuple(item.item_id for item in change.add))
    there, back = engine.over(changed), engine.over(revise(changed, undo))
    histories = [IDS[start : start + 1 + start % 7] for start in range(0, 80, 4)]
    before = [answer(engine, history) for history in histories]
    assert [answer(back, history) for history in histories] == before
    assert [answer(there, history) for history in histories] != before


def test_new_items_are_found_and_retired_ones_never(engine: OnnxEngine) -> None:
    change = made_change(engine.bundle, 0, 20, 30)
    revised = engine.over(revise(engine.bundle, change))
    listed = {item for start in range(60) for item, _ in answer(revised, IDS[start : start + 3])}
    assert listed & {item.item_id for item in change.add}
    assert not listed & set(change.retire)
    everything = {item for item, _ in answer(revised, IDS[:1], k=BUNDLE_ITEMS)}
    on_offer = {revised.bundle.catalogue.ids[row - 1] for row in revised.trie.leaf_row}
    assert everything == on_offer - {IDS[0]}


def test_histories_with_new_and_retired_items_are_read(engine: OnnxEngine) -> None:
    change = made_change(engine.bundle, 1, 2, 2)
    revised = engine.over(revise(engine.bundle, change))
    retired, kept = change.retire[0], next(item for item in IDS if item not in change.retire)
    assert len(answer(revised, [retired, kept])) == 10
    assert encoding(revised, [retired, kept]) == encoding(engine, [retired, kept]), "its learned row is still read"
    new = change.add[0].item_id
    assert encoding(revised, [new, kept]) != encoding(revised, [change.add[1].item_id, kept])


def encoding(engine: OnnxEngine, history: Sequence[str]) -> bytes:
    catalogue = engine.bundle.catalogue
    return engine.encode(*tokens(catalogue, np.array(rows_of(catalogue, history), np.int32))).tobytes()


def scratch(bundle: Bundle, folder: Path) -> Bundle:
    """A bundle folder of the items on offer alone, in another order, loaded as any other."""
    origin, catalogue = bundle.origin or bundle, bundle.catalogue
    rows = np.sort(bundle.trie.leaf_row)[::-1]
    shutil.copytree(origin.path, folder)
    with np.load(folder / contract.TABLES) as stored:
        tables = dict(stored)
    learned = rows <= catalogue.learned
    item_rows = np.where(learned[:, None], tables["item_rows"][np.where(learned, rows, 0)], 0)
    tables["prefix_rows"] = residuals(bundle, tables["prefix_rows"])
    tables["item_rows"] = np.concatenate([tables["item_rows"][:1], item_rows]).astype(np.float16)
    np.savez(folder / contract.TABLES, allow_pickle=False, **tables)
    with np.load(folder / contract.CATALOGUE) as stored:
        columns = dict(stored)
    columns |= {
        "ids": np.array([catalogue.ids[row - 1] for row in rows]),
        "sids": catalogue.sids[rows - 1].astype(np.uint16),
        "popularity": catalogue.popularity[rows - 1],
        "category": catalogue.category[rows - 1],
        "brand": catalogue.brand[rows - 1],
        "sample_items": np.zeros(0, np.int32),
        "sample_lengths": np.zeros(0, np.int32),
    }
    np.savez(folder / contract.CATALOGUE, allow_pickle=False, **columns)
    facts = json.loads((folder / contract.MANIFEST).read_text("utf-8"))
    facts["items"] = len(rows)
    facts["files"] |= {name: sha256(folder / name) for name in (contract.TABLES, contract.CATALOGUE)}
    (folder / contract.MANIFEST).write_text(json.dumps(facts), "utf-8")
    return load(folder)


def residuals(bundle: Bundle, stored: NDArray[np.float16]) -> NDArray[np.float16]:
    """What tables.npz would hold: a row per prefix in the new order, zero for the new ones."""
    origin = bundle.origin or bundle
    leaves = len(stored) == origin.trie.nodes - 1
    known = dict(zip(labels(origin)[: len(stored)], stored, strict=True))
    wanted = labels(bundle)[: bundle.trie.nodes - 1 if leaves else bundle.trie.first_leaf - 1]
    return np.stack([known.get(label, np.zeros_like(stored[0])) for label in wanted])


def labels(bundle: Bundle) -> list[Any]:
    """What a node's learned row belongs to: the codes of a prefix, the id of an item."""
    trie = bundle.trie
    codes: list[tuple[int, ...]] = [()]
    for node in range(1, trie.nodes):
        codes.append((*codes[trie.parent[node]], int(trie.code[node])))
    return [*codes[1 : trie.first_leaf], *(bundle.catalogue.ids[row - 1] for row in trie.leaf_row)]
