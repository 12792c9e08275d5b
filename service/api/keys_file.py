"""The keys file: a list of API keys by their SHA-256, never a key itself.

- name: shop
  sha256: 6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b
  rate: 50              # requests a second on average; absent: no limit
  burst: 100            # at once; absent: one second's worth
  per_day: 1000000      # absent: no limit
  may_override: true    # bucket, tier, strategy, explain; absent: false
"""

import difflib
import hashlib
import math
import secrets
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from service import config_file
from service.api.callers import Key
from service.errors import KeysError

MAX_KEYS = 1000
START = "pk_"  # what secret scanners can look for
KEY_BYTES = 32

Name = Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)

    name: Name
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    rate: Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)] | None = None
    burst: Annotated[int, Field(ge=1, le=10**6)] | None = None
    per_day: Annotated[int, Field(ge=1, le=10**12)] | None = None
    may_override: bool = False

    def key(self) -> Key:
        burst = self.burst or math.ceil(self.rate or 1)
        return Key(self.name, bytes.fromhex(self.sha256), self.rate, burst, self.per_day, self.may_override)


_FILE = TypeAdapter(Annotated[list[_Entry], Field(max_length=MAX_KEYS)])


def new_key() -> str:
    """A key of 256 random bits, in letters, digits, `-` and `_`."""
    return START + secrets.token_urlsafe(KEY_BYTES)


def digest(key: bytes) -> bytes:
    """What the file and the process keep of a key. It is random and long, so that no salt is needed."""
    return hashlib.sha256(key).digest()


def parse(content: bytes) -> Mapping[bytes, Key]:
    """The keys by their digests.

    Raises:
        KeysError: not YAML or JSON, not such a list, a name or a digest twice, a burst without a rate.
    """
    data = config_file.parse(content, KeysError)
    if not isinstance(data, list):
        raise KeysError("The file must hold a list of keys.")
    try:
        entries = _FILE.validate_python(data)
    except ValidationError as error:
        raise KeysError(_sentence(error.errors(include_url=False, include_input=False)[0], data)) from None
    for place, entry in enumerate(entries):
        _check(entry, entries[:place])
    return {key.digest: key for key in (entry.key() for entry in entries)}


def _check(entry: _Entry, before: list[_Entry]) -> None:
    if entry.burst is not None and entry.rate is None:
        raise KeysError(f"Key {entry.name!r} has a burst and no rate.")
    for other in before:
        if other.name == entry.name:
            raise KeysError(f"Two keys are called {entry.name!r}.")
        if other.sha256 == entry.sha256:
            raise KeysError(f"Keys {other.name!r} and {entry.name!r} are the same key.")


def _sentence(error: ErrorDetails, data: list[Any]) -> str:
    """Says which key and field, and nothing that stands there: it might be a key that should not."""
    if not error["loc"]:
        return f"The file may list {MAX_KEYS} keys at most."
    place, *path = error["loc"]
    entry = data[int(place)]
    name = entry.get("name") if isinstance(entry, dict) else None
    good = isinstance(name, str) and name.isascii() and name.isprintable() and len(name) <= 64
    who = f"Key {name!r}" if good else f"Key number {int(place) + 1}"
    if not path:
        return f"{who} must be a mapping with name and sha256."
    field = str(path[0])
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(field[:64], _Entry.model_fields, n=1)
        return f"{who} has a field that is none{f'; did you mean {near[0]!r}?' if near else '.'}"
    if error["type"] == "missing":
        return f"{who} lacks the field {field!r}."
    if field == "sha256":
        return f"{who}, field 'sha256': it must be 64 hex digits in lower case, the digest of a key and not the key."
    return f"{who}, field {field!r}: {error['msg'][:1].lower()}{error['msg'][1:]}."
