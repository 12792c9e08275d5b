"""Feedback tokens come back as they were signed; anything else is refused with a reason."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.errors import InvalidTokenError
from service.experiments.tokens import MAX_TOKEN, SKEW_S, Token, Tokens

NOW, WEEK = 1_750_000_000.25, 7 * 86_400.0
TOKENS = Tokens(b"a secret of some length", WEEK, lambda: NOW)
ONE = Token("req-1", (("budget", "deep", "hash"), ("rule", "mixed", "header")), "k50", NOW, TOKENS.unit("user-1"))
texts = st.text(max_size=40)
tokens = st.builds(
    Token,
    texts,
    st.lists(st.tuples(texts, texts, texts), max_size=5).map(tuple),
    texts,
    st.floats(NOW - WEEK, NOW + SKEW_S),
    st.none() | texts.map(TOKENS.unit),
)


@settings(deadline=None)
@given(tokens)
def test_what_was_signed_comes_back(token: Token) -> None:
    assert TOKENS.read(TOKENS.sign(token)) == token


@settings(deadline=None)
@given(tokens, st.data())
def test_one_changed_character_is_refused(token: Token, data: st.DataObject) -> None:
    text = TOKENS.sign(token)
    at = data.draw(st.integers(0, len(text) - 1))
    changed = data.draw(st.characters().filter(lambda character: character != text[at]))
    with pytest.raises(InvalidTokenError):
        TOKENS.read(text[:at] + changed + text[at + 1 :])


@settings(deadline=None)
@given(st.text() | st.text(alphabet="abAB01-_.", max_size=80))
def test_garbage_is_refused(text: str) -> None:
    with pytest.raises(InvalidTokenError):
        TOKENS.read(text)


@pytest.mark.parametrize("cut", [1, 10, 60])
def test_a_cut_or_padded_token_is_refused(cut: int) -> None:
    text = TOKENS.sign(ONE)
    for wrong in (text[:-cut], text[cut:], text + "A" * cut, f"{text}.{text}"):
        with pytest.raises(InvalidTokenError):
            TOKENS.read(wrong)


def test_another_secret_is_another_signer() -> None:
    other = Tokens(b"a secret of some lengtH", WEEK, lambda: NOW)
    with pytest.raises(InvalidTokenError, match="another secret"):
        TOKENS.read(other.sign(ONE))
    assert other.unit("user-1") != TOKENS.unit("user-1")


@pytest.mark.parametrize(
    ("later_s", "words"),
    [
        (WEEK + 1, "older than 7 days"),
        (math.inf, "older than 7 days"),
        (math.nan, "older than 7 days"),
        (-SKEW_S - 1, "from the future"),
    ],
)
def test_a_token_out_of_time_is_refused(later_s: float, words: str) -> None:
    late = Tokens(b"a secret of some length", WEEK, lambda: NOW + later_s)
    with pytest.raises(InvalidTokenError, match=words):
        late.read(TOKENS.sign(ONE))


@pytest.mark.parametrize("later_s", [WEEK - 1, 0, -SKEW_S + 1])
def test_a_token_in_time_is_good(later_s: float) -> None:
    assert Tokens(b"a secret of some length", WEEK, lambda: NOW + later_s).read(TOKENS.sign(ONE)) == ONE


@pytest.mark.parametrize("payload", [b"", b"[]", b"[2,1,1,1,1,1]", b"{}", b"not json", b"\xff", b"[1,2,[3],4,5,6]"])
def test_a_form_of_another_version_is_refused(payload: bytes) -> None:
    from service.experiments.tokens import _text

    text = _text(payload)
    with pytest.raises(InvalidTokenError):
        TOKENS.read(f"{text}.{TOKENS._signature(text)}")


def test_a_token_fits_into_a_body_and_names_no_user() -> None:
    text = TOKENS.sign(ONE)
    assert len(text) < 300
    assert text.replace("-", "").replace("_", "").replace(".", "").isalnum()
    assert "user-1" not in str(TOKENS.read(text))
    with pytest.raises(InvalidTokenError):
        TOKENS.read(text + "A" * MAX_TOKEN)


@settings(deadline=None)
@given(st.text())
def test_a_user_has_one_digest(user: str) -> None:
    unit = TOKENS.unit(user)
    assert unit == TOKENS.unit(user)
    assert unit is None if not user else unit is not None and len(unit) == 32
