"""Tokens, cached encodings, events, headers of any kind: what was meant, or the declared error in a sentence."""

import json
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from bulk import Bulk
from hypothesis import strategies as st
from starlette.datastructures import Headers
from taken import check_sentence
from target_codec import one as try_codec

from service.api.timeouts import ENVOY, OWN, limits_ms
from service.budget.ladder import Ladder
from service.cache.codec import decode, encode
from service.errors import InvalidRequestError, InvalidTokenError, UnknownBucketError, UnknownTierError
from service.experiments.assignment import assign, gb_hash_v2
from service.experiments.config import Bucket, Experiment, Experiments
from service.experiments.events import pack, unpack
from service.experiments.tokens import Token, Tokens
from service.search.plan import Rule

texts = st.text(max_size=12)
jsons = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)
NOW = 1_763_730_000.0
DAY_S = 86_400.0


@pytest.fixture
def bulk(pytestconfig: pytest.Config) -> Bulk:
    return Bulk(pytestconfig)


safe = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
tokens = st.builds(
    Token,
    request_id=safe,
    assignments=st.lists(st.tuples(safe, safe, safe), max_size=4).map(tuple),
    tier=safe,
    time=st.floats(NOW - DAY_S, NOW),
    unit=st.none() | safe,
)


def test_a_token_comes_back_as_it_was_signed_and_no_other_does(bulk: Bulk) -> None:
    own, other = Tokens(b"a secret", DAY_S, lambda: NOW), Tokens(b"another", DAY_S, lambda: NOW)

    def check(found: tuple[Token, int, str]) -> None:
        token, place, letter = found
        text = own.sign(token)
        assert own.read(text) == token
        turned = text[: place % len(text)] + letter + text[place % len(text) + 1 :]
        for wrong, reader in ((text, other), (turned, own), (text[:-1], own), (text + "A", own), (letter + text, own)):
            if wrong != text or reader is not own:
                _refused(partial(reader.read, wrong), InvalidTokenError, always=True)

    bulk(30, 0.05, st.tuples(tokens, st.integers(0, 500), st.characters()), check)


def test_no_text_is_a_token(bulk: Bulk) -> None:
    reader = Tokens(b"a secret", DAY_S, lambda: NOW)
    bulk(
        30,
        0.05,
        st.text() | st.text(max_size=9).map("W10.".__add__),
        lambda text: _refused(lambda: reader.read(text), InvalidTokenError, always=True),
    )


def test_a_token_is_good_for_its_window_only(bulk: Bulk) -> None:
    def check(age: float) -> None:
        text = Tokens(b"s" * 8, DAY_S, lambda: NOW).sign(Token("r", (), "k50", NOW, None))
        reader = Tokens(b"s" * 8, DAY_S, lambda: NOW + age)
        _refused(lambda: reader.read(text), InvalidTokenError, always=age > DAY_S or age < -60)

    bulk(20, 0.01, st.floats(-1e9, 1e9) | st.floats(-61, -59) | st.floats(DAY_S - 1, DAY_S + 1), check)


def test_encodings_hold_whatever_store_they_were_in(bulk: Bulk) -> None:
    bulk(40, 0.05, st.binary(max_size=120), try_codec)
    shapes = st.tuples(st.integers(0, 5), st.integers(1, 9), st.integers(0, 2**32 - 1))

    def check(shape: tuple[int, int, int]) -> None:
        memory = np.random.default_rng(shape[2]).normal(size=shape[:2]).astype(np.float16)
        assert decode(encode(memory, "m", b"k"), "m", b"k").tobytes() == memory.tobytes()

    bulk(20, 0.02, shapes, check)


def test_an_event_comes_back_as_it_was_written(bulk: Bulk) -> None:
    def check(event: dict[str, Any]) -> None:
        line = pack(event)
        assert line is not None
        assert line.count(b"\n") == 1
        assert unpack(line) == event

    bulk(30, 0.03, st.dictionaries(texts, jsons, max_size=5), check)
    bulk(30, 0.03, st.binary(max_size=40), _unpacked)


EXPERIMENTS = Experiments(
    (
        Experiment("width", "width", (Bucket("control", 0.5), Bucket("wide", 0.5))),
        Experiment("rule", "rule", (Bucket("control", 0.2), Bucket("reward", 0.8)), 0.7, "one", (0.0, 0.5)),
        Experiment("deep", "deep", (Bucket("a", 0.5), Bucket("b", 0.5)), 1.0, "one", (0.5, 1.0)),
    )
)


def test_a_bucket_header_forces_what_it_names_and_nothing_else(bulk: Bulk) -> None:
    words = st.sampled_from(["width", "rule", "deep", "control", "wide", "reward", "a", "b", "=", ",", " ", "none"])

    def check(found: tuple[str, str | None]) -> None:
        header, user = found
        free = assign(EXPERIMENTS, user, None)
        assert free == assign(EXPERIMENTS, user, None)
        try:
            forced = assign(EXPERIMENTS, user, header)
        except UnknownBucketError as refused:
            json.dumps(refused.detail)
            return
        named = [one for one in forced.all if one.source == "header"]
        assert named, "a header that was taken names a bucket"
        assert all(one.bucket in header for one in named)
        assert {one.experiment for one in forced.all} == {one.name for one in EXPERIMENTS.experiments}
        assert not {"rule", "deep"} <= {one.experiment for one in forced.all if one.source != "default"}

    users = st.none() | st.text(max_size=9)
    bulk(40, 0.05, st.tuples(st.lists(words, max_size=7).map("".join) | texts, users), check)
    bulk(20, 0.02, st.tuples(st.text(), st.text()), _placed)


def test_limits_are_plain_decimals(bulk: Bulk) -> None:
    def check(found: tuple[str, str]) -> None:
        name, text = found
        try:
            limits = limits_ms(Headers({name: text.encode("utf-8", "ignore").decode("latin-1")}))
        except InvalidRequestError as refused:
            check_sentence(refused.detail)
            return
        assert all(math.isfinite(limit) and limit > 0 for limit in limits)
        assert text.isascii()

    bulk(40, 0.03, st.tuples(st.sampled_from([OWN, ENVOY]), st.text("0123456789.eE+- ", max_size=12) | texts), check)


def test_a_tier_is_offered_or_told(bulk: Bulk) -> None:
    ladder = Ladder(3, Rule(), exact=True)

    def check(name: str) -> None:
        _refused(lambda: ladder.check(name), UnknownTierError, always=name not in ladder.names)

    bulk(20, 0.01, st.text() | st.sampled_from(ladder.names), check)


def _unpacked(line: bytes) -> None:
    found = unpack(line)
    assert found is None or isinstance(found, dict)


def _placed(two: tuple[str, str]) -> None:
    assert 0 <= gb_hash_v2(*two) < 1


def _refused(read: Callable[[], object], error: type[Exception], always: bool = False) -> None:
    """Nothing else is raised, what is raised is a sentence; with `always` it is raised."""
    try:
        read()
    except error as refused:
        check_sentence(str(refused))
        return
    assert not always, "this should have been refused"
