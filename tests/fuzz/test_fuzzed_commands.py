"""Settings, addresses and command lines of any words: what was meant, or the declared error in a sentence."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from bulk import Bulk
from hypothesis import strategies as st
from taken import check_sentence
from typer.testing import CliRunner

from service.cache.links import link
from service.cli import app
from service.commands.index import INDEX
from service.errors import SettingsError
from service.settings import Settings, load

texts = st.text(max_size=12)


@pytest.fixture
def bulk(pytestconfig: pytest.Config) -> Bulk:
    return Bulk(pytestconfig)


def test_settings_of_any_text_are_taken_or_told(bulk: Bulk) -> None:
    fields = st.sampled_from(sorted(Settings.model_fields))
    values = texts | st.sampled_from(["1", "-1", "0", "true", "1e3", "nan", "inf", "k50", "a,b", ",", "json", "cpu"])

    def check(given: dict[str, str]) -> None:
        clean = {name: value for name, value in given.items() if "\0" not in value}
        _refused(lambda: load(**clean), SettingsError)

    bulk(40, 0.05, st.dictionaries(fields, values, max_size=4), check)


def test_unknown_variables_are_told_with_the_nearest_name(bulk: Bulk) -> None:
    def check(rest: str) -> None:
        name = "PROMISE_" + rest
        with _variable(name, "1"):
            known = rest.upper() in {field.upper() for field in Settings.model_fields}
            _refused(load, SettingsError, always=not known)

    bulk(20, 0.01, st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ_a", max_size=12), check)


def test_addresses_of_redis_are_taken_or_told(bulk: Bulk) -> None:
    schemes = st.sampled_from(
        [
            "redis://",
            "rediss://",
            "unix://",
            "redis+cluster://",
            "redis+sentinel://",
            "rediss+cluster://",
            "http://",
            "",
        ]
    )
    parts = st.lists(st.sampled_from([*":@/?,&=[]%#1", "localhost", "name", "db=", "65536", "::1"]) | texts, max_size=8)

    def check(found: tuple[str, list[str]]) -> None:
        scheme, rest = found
        _refused(lambda: link(scheme + "".join(rest), 0.1, 4), SettingsError)

    bulk(40, 0.05, st.tuples(schemes, parts), check)


def test_a_command_line_of_any_words_is_refused_in_words(bulk: Bulk) -> None:
    """`--no-such-option` keeps every command from running; what stands before it may be anything."""
    words = st.sampled_from(
        ["check", "serve", "run", "report", "--json", "--port", "-1", "--", "1e9", "beauty", "--seed"]
    )
    runner = CliRunner()

    def check(found: tuple[str, list[str]]) -> None:
        command, rest = found
        kept = [word for word in rest if word not in ("--help", "--version") and "\0" not in word]
        result = runner.invoke(app, ["--no-such-option", command, *kept])
        assert result.exit_code == 2, result.output
        result = runner.invoke(app, [command, "--no-such-option", *kept])
        assert result.exit_code == 2, result.output
        assert isinstance(result.exception, SystemExit)

    bulk(10, 0.003, st.tuples(st.sampled_from(sorted(INDEX)) | texts, st.lists(words | texts, max_size=5)), check)


@contextmanager
def _variable(name: str, value: str) -> Iterator[None]:
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]


def _refused(read: Callable[[], object], error: type[Exception], always: bool = False) -> None:
    """Nothing else is raised, what is raised is a sentence; with `always` it is raised."""
    try:
        read()
    except error as refused:
        check_sentence(str(refused))
        return
    assert not always, "this should have been refused"
