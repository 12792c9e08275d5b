"""The keys file: what it may say, and that a mistake in it is told without what stands there."""

import hashlib
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.callers import Key
from service.api.keys_file import MAX_KEYS, digest, new_key, parse
from service.errors import KeysError

A, B = digest(b"key a"), digest(b"key b")


def entry(**more: Any) -> dict[str, Any]:
    return {"name": "shop", "sha256": A.hex()} | more


def told(*entries: Any) -> str:
    with pytest.raises(KeysError) as caught:
        parse(json.dumps(entries).encode())
    return caught.value.detail


def test_a_key_with_all_its_fields() -> None:
    text = f"- name: shop\n  sha256: {A.hex()}\n  rate: 50\n  burst: 100\n  per_day: 9\n  may_override: true\n"
    assert parse(text.encode()) == {A: Key("shop", A, 50, 100, 9, True)}


def test_what_is_absent_is_no_limit_and_no_right() -> None:
    assert parse(json.dumps([entry()]).encode()) == {A: Key("shop", A, None, 1, None, False)}
    assert parse(json.dumps([entry(rate=0.2)]).encode())[A].burst == 1
    assert parse(json.dumps([entry(rate=7.5)]).encode())[A].burst == 8


def test_no_key_at_all_is_a_list_too() -> None:
    assert parse(b"[]") == {}


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a rate of nothing": ({"rate": 0}, "Key 'shop', field 'rate': input should be greater than 0"),
    "a rate of infinity": ({"rate": 1e400}, "Key 'shop', field 'rate'"),
    "a rate in words": ({"rate": "50"}, "Key 'shop', field 'rate'"),
    "a burst alone": ({"burst": 5}, "Key 'shop' has a burst and no rate."),
    "a day of nothing": ({"per_day": 0}, "Key 'shop', field 'per_day'"),
    "a right in words": ({"may_override": "yes"}, "Key 'shop', field 'may_override'"),
    "an unknown field": ({"may_overide": True}, "did you mean 'may_override'?"),
    "a digest too short": ({"sha256": "ab"}, "Key 'shop', field 'sha256': it must be 64 hex digits"),
    "an upper case digest": ({"sha256": A.hex().upper()}, "64 hex digits in lower case"),
    "a name with a space": ({"name": "my shop"}, "Key 'my shop', field 'name'"),
    "a name with a line feed": ({"name": "a\nb"}, "Key number 1, field 'name'"),
    "a name that is none": ({"name": 7}, "Key number 1, field 'name'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_is_told_with_its_place(name: str) -> None:
    fields, sentence = WRONG[name]
    assert sentence in told(entry(**fields))


def test_two_entries_must_differ_in_name_and_key() -> None:
    assert told(entry(), entry(sha256=B.hex())) == "Two keys are called 'shop'."
    assert told(entry(), entry(name="other")) == "Keys 'shop' and 'other' are the same key."


def test_the_file_is_a_list_of_mappings_and_not_endless() -> None:
    assert told("x") == "Key number 1 must be a mapping with name and sha256."
    assert "lacks the field 'sha256'" in told({"name": "shop"})
    assert str(MAX_KEYS) in told(*[entry(name=f"n{n}", sha256=f"{n:064x}") for n in range(MAX_KEYS + 1)])
    for content in (b"", b"{}", b"keys: []"):
        with pytest.raises(KeysError, match="list of keys"):
            parse(content)


@given(st.sampled_from(["sha256", "key", "name", "rate"]))
def test_a_key_that_stands_where_it_should_not_is_not_repeated(field: str) -> None:
    key = new_key() + " "
    assert key[3:20] not in told({**entry(), "name": "shop" if field != "name" else key * 2, field: key * 2})


def test_a_new_key_is_long_random_and_of_its_own() -> None:
    keys = {new_key() for _ in range(50)}
    assert len(keys) == 50
    assert all(re.fullmatch(r"pk_[A-Za-z0-9_-]{43}", key) for key in keys)
    assert digest(b"x") == hashlib.sha256(b"x").digest()
