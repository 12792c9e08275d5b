"""A correction over a revised bundle: of what came after training it knows nothing, and it moves none of that."""

from collections.abc import Sequence

import numpy as np
import pytest
from both_sides import World, corrected_world
from made_corrected import RECIPE
from tiny import BUNDLE_ITEMS, DEPTH, Bundles

from service.engine.correcting import relations
from service.engine.graphs import OnnxEngine
from service.engine.padding import newest_first
from service.engine.protocol import F32, I32, Context
from service.engine.revision import Change, NewItem, revise
from service.items import rows_of, tokens
from service.search.guided import search
from service.search.plan import Plan
from service.search.scanned import scan
from service.search.trie import banned

EVERYTHING = 10**6
GUIDED = Plan.uniform(DEPTH, 10, 40, rescore=RECIPE.pool)


@pytest.fixture(scope="module")
def world(bundles: Bundles, tmp_path_factory: pytest.TempPathFactory) -> World:
    return corrected_world(bundles, tmp_path_factory.mktemp("corrected") / "bundle")


def grown(engine: OnnxEngine, added: int, retired: int = 0) -> OnnxEngine:
    """Over a revision: new items beside the first ones, and the last ones gone."""
    adding = tuple(NewItem(f"new{n}", like=f"i{n:03}") for n in range(added))
    leaving = tuple(f"i{BUNDLE_ITEMS - 1 - n:03}" for n in range(retired))
    return engine.over(revise(engine.bundle, Change(adding, leaving)))


def asked(engine: OnnxEngine, history: Sequence[str], excluded: Sequence[int] = ()) -> Context:
    """As the service asks."""
    catalogue = engine.bundle.catalogue
    rows = np.array(rows_of(catalogue, history), np.int32)
    codes, items, lengths = tokens(catalogue, rows)
    illegal = [banned(engine.trie, [*rows, *excluded])]
    newest = newest_first([rows], catalogue.learned)
    return engine.context(engine.encode(codes, items, lengths), lengths, illegal, newest)


def by_row(engine: OnnxEngine, found: tuple[I32, F32] | None) -> dict[int, float]:
    assert found is not None
    real = np.isfinite(found[1][0])
    return dict(zip(engine.trie.rows(found[0][0, real]).tolist(), found[1][0, real].tolist(), strict=True))


@pytest.mark.parametrize("only_some", [False, True])
def test_items_that_came_later_are_corrected_by_as_much_as_the_others_on_average(world: World, only_some: bool) -> None:
    """Also where a filter leaves filler in the pool."""
    engine = grown(world.engine, 9, 12)
    every = len(engine.bundle.catalogue.ids)
    excluded = [row for row in range(1, BUNDLE_ITEMS + 1) if row % 9] if only_some else []
    context = asked(engine, ["i004", "i005"], excluded)
    inner = by_row(engine, engine.scan(context, every))
    found = by_row(engine, scan(engine, context, every, EVERYTHING))
    assert world.corrected is not None
    scale = float(world.corrected.model.scale.detach())
    more = {row: reward - scale * inner[row] for row, reward in found.items()}
    new = [row for row in found if row > BUNDLE_ITEMS]
    old = [row for row in found if row <= BUNDLE_ITEMS]
    assert len(new) == 9
    average = np.mean([more[row] for row in old])
    assert np.allclose([more[row] for row in new], average, atol=1e-3)
    assert new == sorted(new, key=lambda row: -inner[row]), "in the order of their inner products"


@pytest.mark.parametrize("history", [["new0"], ["new0", "new1"], ["i001", "new2", "i002"], ["i089", "i003"]])
def test_histories_of_new_and_retired_items_are_read(world: World, history: list[str]) -> None:
    engine = grown(world.engine, 4, 3)
    catalogue = engine.bundle.catalogue
    shown = newest_first([np.array(rows_of(catalogue, history), np.int32)], catalogue.learned)[0].tolist()
    assert shown == [0 if item.startswith("new") else catalogue.rows[item] for item in history[::-1]]
    found = search(engine, asked(engine, history), GUIDED, 10)
    assert np.isfinite(found.score).all()
    assert len(by_row(engine, scan(engine, asked(engine, history), 10, 30))) == 10


def test_every_leaf_knows_its_item_and_nothing_else_does(world: World) -> None:
    engine = grown(world.engine, 5, 7)
    given_arrays, trie = relations(engine.bundle), engine.trie
    item = given_arrays["item"]
    assert item.dtype == np.int32
    assert not item[: trie.first_leaf].any()
    rows = trie.leaf_row
    assert np.array_equal(item[trie.first_leaf :], np.where(rows <= BUNDLE_ITEMS, rows, 0))
    assert all(given_arrays[name] is array for name, array in engine.bundle.relations.items())
