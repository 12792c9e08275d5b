"""500 random filters over the whole service on the shipped bundle: only legal items, min(k, legal) of them."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from service.engine.catalogue import Catalogue
from service.experiments.assignment import Assignments
from service.filters import Filter
from service.items import tokens
from service.observability.logging import open_logger
from service.recommender import Answer, Ask
from service.runtime import Runtime, open_runtime
from service.search.guided import Deadline, search
from service.search.plan import Level, Plan
from service.search.trie import banned
from service.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
BUNDLE = ROOT / "models" / "bundles" / "beauty"
ROUNDS, AT_ONCE, EXHAUSTIVE = 500, 25, 20


@dataclass(frozen=True)
class Case:
    ask: Ask
    legal: set[str]


@pytest.fixture(scope="module")
def runtime() -> Iterator[Runtime]:
    settings = Settings(bundle=(BUNDLE,), device="cpu", max_batch=8)
    opened = open_runtime(settings, logger=open_logger("json", StringIO()))
    yield opened
    asyncio.run(opened.close())


@pytest.fixture(scope="module")
def cases(runtime: Runtime) -> list[Case]:
    rng = np.random.default_rng(20)
    catalogue = runtime.bundles.get().catalogue
    return [drawn(catalogue, rng) for _ in range(ROUNDS)]


def drawn(catalogue: Catalogue, rng: np.random.Generator) -> Case:
    """A random request and, item by item from the catalogue's columns, what it may get."""
    paths = list(catalogue.category_codes)
    category = some(rng, paths, 3)
    brand = some(rng, [name for name in catalogue.brands if name], 4) if rng.random() < 0.4 else ()
    allow = some(rng, catalogue.ids, 400) if rng.random() < 0.4 else None
    exclude, history = some(rng, catalogue.ids, 3000), tuple(rng.choice(catalogue.ids, rng.integers(1, 20)).tolist())
    seen = bool(rng.random() < 0.8)
    ask = Ask(
        history, k=int(rng.integers(1, 100)), exclude=exclude, exclude_seen=seen, filter=Filter(category, brand, allow)
    )
    allowed = set(catalogue.ids if allow is None else allow) - set(exclude) - set(history if seen else ())
    return Case(ask, {item for item in allowed if fits(catalogue, catalogue.rows[item], category, brand)})


def some(rng: np.random.Generator, names: Sequence[str], most: int) -> tuple[str, ...]:
    return tuple(rng.choice(list(names), rng.integers(0, most)).tolist())


def fits(catalogue: Catalogue, row: int, category: tuple[str, ...], brand: tuple[str, ...]) -> bool:
    path, name = (names[codes[row - 1]] if codes[row - 1] >= 0 else "" for names, codes in columns(catalogue))
    below = any(path == one or path.startswith(f"{one} > ") for one in category)
    return (below or not category) and (name in brand or not brand)


def columns(catalogue: Catalogue) -> list[tuple[tuple[str, ...], NDArray[np.int32]]]:
    return [(catalogue.categories, catalogue.category), (catalogue.brands, catalogue.brand)]


def test_only_legal_items_and_as_many_as_there_are(runtime: Runtime, cases: list[Case]) -> None:
    async def crowd(some: list[Case]) -> list[Answer]:
        asked = (runtime.recommender.recommend(case.ask, Assignments(), Deadline(), "test") for case in some)
        return await asyncio.gather(*asked)

    ids = runtime.bundles.get().catalogue.ids
    for start in range(0, ROUNDS, AT_ONCE):
        some = cases[start : start + AT_ONCE]
        for case, answer in zip(some, asyncio.run(crowd(some)), strict=True):
            found = [ids[scored.row - 1] for scored in answer.items]
            assert answer.source == "search"
            assert len(found) == len(set(found)) == min(case.ask.k, len(case.legal))
            assert set(found) <= case.legal
    assert 50 < sum(len(case.legal) < case.ask.k for case in cases) < ROUNDS - 50  # both kinds were tried


def test_at_exhaustive_width_it_is_the_best_of_all_legal_items(runtime: Runtime, cases: list[Case]) -> None:
    served = runtime.bundles.get()
    engine, trie, catalogue = served.searcher.engine, served.trie, served.catalogue
    sizes = np.diff(trie.level_start)[1:].tolist()
    everything = Plan(tuple(Level(size, size) for size in sizes), rule=served.ladder.rule)
    for case in cases[:: ROUNDS // EXHAUSTIVE]:
        history = np.array([catalogue.rows[item] for item in (case.ask.history or ())], np.int32)
        codes, items, lengths = tokens(catalogue, history[-served.history_limit :])
        memory = engine.encode(codes, items, lengths)
        scanned = engine.scan(engine.context(memory, lengths, [banned(trie)]), len(catalogue.ids))
        assert scanned is not None
        reward = dict(zip(trie.rows(scanned[0][0]).tolist(), scanned[1][0].tolist(), strict=True))
        rows = np.array([catalogue.rows[item] for item in case.legal], np.int32)
        mask = np.zeros(len(catalogue.ids) + 1, np.bool_)
        mask[rows] = True
        context = engine.context(memory, lengths, [banned(trie, (), mask)])
        found = search(engine, context, everything, case.ask.k)
        real = np.isfinite(found.log_prob[0])
        got = [reward[row] for row in trie.rows(found.node[0, real]).tolist()]
        best = sorted((reward[row] for row in rows.tolist()), reverse=True)[: case.ask.k]
        assert got == pytest.approx(best, abs=1e-4)
