"""Items by words: what is found, in which order, how much is looked at."""

import json
import random
import re
from dataclasses import replace

import pytest
from made_bundle import made_bundle, named_catalogue

from service.engine.catalogue import Catalogue
from service.engine.revision import Change, NewItem, revise
from service.engine.titles import read
from service.lookup import words as lookup
from service.lookup.shown import shown
from service.lookup.words import Words
from service.search.trie import build

TITLES = ("Argan Oil of Morocco", "Oil-free gel", "Foil wraps", "Gel, ÉCLAT", "Straße", "100% [pure] (gel)", "a\tb")


def titled(catalogue: Catalogue) -> Catalogue:
    """Every second item gets one of the titles."""
    lines = [
        json.dumps({"item_id": item, "title": TITLES[place % len(TITLES)]}).encode()
        for place, item in enumerate(catalogue.ids)
        if place % 2
    ]
    return replace(catalogue, titles=read(lines, catalogue.rows))


QUERIES = (
    *("oil", "OIL", "il", "hair oil", "oil hair", "gel almay", "éclat", "STRASSE", "100%", "[pure]", "(gel)"),
    *("l'oreal", "oil oil", "b00000000", "beauty > hair", "  gel  ", "no such thing", "B000000007", "000000007"),
    *(">", "\\w", ".*"),
)
CATALOGUE = titled(named_catalogue())
WORDS = Words(CATALOGUE, build(CATALOGUE.sids))


def found(query: str, limit: int = 1000) -> list[str]:
    return [CATALOGUE.ids[row - 1] for row in WORDS.find(query, limit).rows]


def text_of(row: int) -> str:
    known = shown(CATALOGUE, row)
    return " ".join(filter(None, (known["title"], known["item_id"], known["category"], known["brand"]))).casefold()


def expected(query: str) -> list[str]:
    """The rule, word for word."""
    ranked = []
    for place, row in enumerate(CATALOGUE.by_popularity.tolist()):
        text, wanted = text_of(row), query.casefold().split()
        if all(word in text for word in wanted):
            inside = not all(re.search(rf"(?:^|\W){re.escape(word)}", text) for word in wanted)
            ranked.append((CATALOGUE.ids[row - 1] != query.strip(), inside, place, CATALOGUE.ids[row - 1]))
    return [item for *_, item in sorted(ranked)]


@pytest.mark.parametrize("query", QUERIES)
def test_every_word_must_occur_and_beginnings_come_first(query: str) -> None:
    assert found(query) == expected(query)
    assert WORDS.find(query, 1000).total == len(expected(query))
    assert found(query, 3) == expected(query)[:3]


def test_the_examples_find_something_of_either_kind() -> None:
    assert len(expected("il")) > 20
    assert 0 < len(expected("hair oil")) < len(expected("oil"))
    first = shown(CATALOGUE, WORDS.find("oil", 1).rows[0])
    assert "Foil wraps" not in (first["title"] or "")
    assert "Foil wraps" in {shown(CATALOGUE, row)["title"] for row in WORDS.find("oil", 1000).rows}


def test_random_queries_follow_the_rule() -> None:
    rng = random.Random(0)
    for _ in range(200):
        text = text_of(rng.randrange(len(CATALOGUE.ids)) + 1)
        parts = [
            text[at : at + rng.randint(1, 6)] for at in (rng.randrange(len(text)) for _ in range(rng.randint(1, 3)))
        ]
        query = " ".join(parts)
        assert found(query) == expected(query), query


def test_without_a_word_the_most_popular_are_shown() -> None:
    assert WORDS.find("  ", 5).rows == CATALOGUE.by_popularity[:5].tolist()
    assert WORDS.find("", 5).total == 300


def test_of_a_large_catalogue_the_popular_part_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "SEARCHED", 100)
    monkeypatch.setattr(lookup, "BLOCK", 7)
    words = Words(CATALOGUE, build(CATALOGUE.sids), pause=lambda: None)
    assert words.find("b0", 1000).total == 100
    assert words.find("b0", 1000).rows == CATALOGUE.by_popularity[:100].tolist()
    last = int(CATALOGUE.by_popularity[-1])
    beyond = words.find(CATALOGUE.ids[last - 1], 10)
    assert (beyond.rows, beyond.total) == ([last], 1)
    assert words.find("", 1).total == 300


def test_it_pauses_between_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "BLOCK", 10)
    pauses = list[None]()
    words = Words(CATALOGUE, build(CATALOGUE.sids), pause=lambda: pauses.append(None))
    assert len(pauses) == 30
    words.find("oil", 5)
    assert len(pauses) == 60


def test_retired_items_are_not_found_and_new_ones_are() -> None:
    bundle = made_bundle(20)
    gone, like = bundle.catalogue.ids[:2]
    item = NewItem("new one", like=like, brand="Bränd", popularity=10**6)
    changed = revise(replace(bundle, catalogue=titled(bundle.catalogue)), Change(add=(item,), retire=(gone,)))
    words = Words(changed.catalogue, changed.trie)
    row = changed.catalogue.rows["new one"]
    assert words.find("bränd", 5).rows == [row]
    assert words.find("", 1).rows == [row]
    assert words.find(gone, 5).rows == []
    assert words.find("", 50).total == 20
    assert shown(changed.catalogue, row)["title"] is None
    assert shown(changed.catalogue, changed.catalogue.rows[like])["title"] == TITLES[1]
    assert shown(changed.catalogue, changed.catalogue.rows[gone])["item_id"] == gone
