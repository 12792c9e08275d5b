"""Feedback tokens: what feedback must be credited to, signed, so that the service remembers nothing about a request.

A token reads `<payload>.<signature>`: JSON in URL-safe base64, and HMAC-SHA256 cut to 128 bits over its text. It is
signed, not secret: the user appears as a keyed digest only. Every replica needs the same secret, and so does a
restarted service: with another one tokens are refused and users look like new ones.
"""

import binascii
import hmac
import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from pydantic_core import to_json

from service.errors import InvalidTokenError

FORMAT = 1
SKEW_S = 60.0  # replicas' clocks may differ by this much
MAX_TOKEN = 16_384  # characters; longer than any that was signed here
SIGNATURE_BYTES = 16


@dataclass(frozen=True)
class Token:
    """One answer: its request, its (experiment, bucket, source) triples, tier, time in seconds since the epoch, user.

    `unit` is the keyed digest of the user id (`Tokens.unit`), None for an anonymous request.
    """

    request_id: str
    assignments: tuple[tuple[str, str, str], ...]
    tier: str
    time: float
    unit: str | None


class Tokens:
    """Signs and reads tokens; `window_s` is how long one is good for, `clock` gives seconds since the epoch."""

    def __init__(self, secret: bytes, window_s: float, clock: Callable[[], float] = time.time) -> None:
        self.window_s = window_s
        self._signing = _derived(secret, b"promise token")
        self._naming = _derived(secret, b"promise unit")
        self._clock = clock

    def unit(self, user_id: str | None) -> str | None:
        """The user in tokens and events: a digest (32 hex digits) that nobody without the secret can recompute."""
        if not user_id:
            return None
        return blake2b(user_id.encode("utf-8", "surrogatepass"), key=self._naming, digest_size=16).hexdigest()

    def sign(self, token: Token) -> str:
        """The token as text: letters, digits, `-`, `_` and one dot."""
        fields = [FORMAT, token.request_id, token.assignments, token.tier, token.time, token.unit]
        payload = _text(to_json(fields))
        return f"{payload}.{self._signature(payload)}"

    def read(self, text: str) -> Token:
        """What was signed.

        Raises:
            InvalidTokenError: malformed, not signed here, older than the window, or from the future.
        """
        payload, dot, signature = text.partition(".")
        if not dot or not text.isascii() or len(text) > MAX_TOKEN:
            raise InvalidTokenError("This is not a feedback token; send the one that came with the answer.")
        if not hmac.compare_digest(signature, self._signature(payload)):
            raise InvalidTokenError("The feedback token was changed, or signed with another secret.")
        token = _token(payload)
        age = self._clock() - token.time
        if not age <= self.window_s:
            raise InvalidTokenError(f"The feedback token is older than {self.window_s / 86_400:g} days.")
        if age < -SKEW_S:
            raise InvalidTokenError("The feedback token comes from the future: a clock is wrong.")
        return token

    def _signature(self, payload: str) -> str:
        return _text(hmac.digest(self._signing, payload.encode(), "sha256")[:SIGNATURE_BYTES])


def _derived(secret: bytes, purpose: bytes) -> bytes:
    """A key of its own for each purpose, whatever the length of the secret."""
    return hmac.digest(secret, purpose, "sha256")


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _token(payload: str) -> Token:
    """The fields of a payload whose signature is right: only another version of the service may have put others."""
    try:
        fields: Any = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        form, request_id, assignments, tier, issued, unit = fields
        triples = tuple((experiment, bucket, source) for experiment, bucket, source in assignments)
    except (binascii.Error, ValueError, TypeError):
        form = None
    if form != FORMAT:
        raise InvalidTokenError("The feedback token has a form that this version of the service does not know.")
    return Token(request_id, triples, tier, issued, unit)
