"""Users at rest: a digest for a name, so that no store ever holds a user id, and what each one did.

Without a secret whoever reads the store can test whether a guessed id is in it; with one only its holder can. Another
secret is another name: the histories kept under the old one are out of reach and leave after the retention time.
"""

from collections.abc import Sequence
from hashlib import blake2b

from service.histories.protocol import Event

Interaction = tuple[float, str]  # timestamp, item id: sorts as histories are ordered
DAY_S = 86_400
_PERSON = b"promise history"  # apart from digests of the same ids and secret elsewhere


def at_rest(user_id: str, secret: bytes = b"") -> str:
    """blake2b-128 of the id, in hex; `secret` of any length keys it."""
    key = blake2b(secret).digest() if secret else b""
    return blake2b(user_id.encode("utf-8", "surrogatepass"), digest_size=16, key=key, person=_PERSON).hexdigest()


def by_user(events: Sequence[Event], secret: bytes = b"") -> dict[str, list[Interaction]]:
    """The interactions of each user, by the user's name at rest."""
    found: dict[str, list[Interaction]] = {}
    for event in events:
        timestamp = event.timestamp + 0.0  # -0.0 and 0.0 are one moment, and must be the same bytes
        found.setdefault(at_rest(event.user_id, secret), []).append((timestamp, event.item_id))
    return found
