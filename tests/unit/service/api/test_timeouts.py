"""Timeouts in headers: plain decimals, zero from a proxy only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from service.api.timeouts import ENVOY, OWN, limits_ms
from service.errors import InvalidRequestError


@given(st.integers(1, 999_999_999), st.integers(0, 999_999))
def test_decimals_are_taken_as_they_are(whole: int, millionths: int) -> None:
    text = f"{whole}.{millionths:06}"
    for name in (OWN, ENVOY, OWN.lower()):
        assert limits_ms(Headers({name: text})) == (float(text),)


@given(st.text(st.characters(max_codepoint=255), max_size=12))
def test_anything_else_is_refused(text: str) -> None:
    if text and text.strip("0123456789.") == "":
        return
    with pytest.raises(InvalidRequestError, match=f"^header {OWN}: "):
        limits_ms(Headers({OWN: text}))


@pytest.mark.parametrize(
    "text", ["", " ", "0", "0.0", "-1", "+1", "1e3", "nan", "inf", "1_000", "1.", ".5", "٣", "1 2"]
)
def test_oddities(text: str) -> None:
    with pytest.raises(InvalidRequestError):
        limits_ms(Headers({OWN: text.encode().decode("latin-1")}))


def test_none_one_or_both() -> None:
    assert limits_ms(Headers({})) == ()
    assert limits_ms(Headers({ENVOY: "0"})) == ()
    assert limits_ms(Headers({ENVOY: "15000", OWN: "150"})) == (150.0, 15000.0)
