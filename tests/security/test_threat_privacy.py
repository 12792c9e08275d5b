"""A user at rest is a keyed digest, and `DELETE /users/{id}` leaves nothing of that either.

The whole service runs over a real Redis, with histories, encodings, experiments and feedback; then a copy of everything
that outlives a request is searched: Redis' dump on disk, the event log, the log, the figures, and the process itself.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from fake_service import Client, made_model, made_runtime
from made import made_catalogue
from planted import held_by, reachable, requests
from pydantic import SecretStr
from redis_server import RedisServer

from service.histories.users import at_rest

CATALOGUE = made_catalogue()
ITEMS = list(CATALOGUE.ids[:6])
WORD, OTHER = "ann.planted@example.org", "bob.planted@example.org"
SECRET = "a-secret-of-the-service"
EXPERIMENTS = "experiments: [{name: width, buckets: [{name: narrow, weight: 0.5}, {name: wide, weight: 0.5}]}]"


class World:
    """A service, its Redis, and everything it left anywhere."""

    def __init__(self, client: Client, redis: RedisServer, log: StringIO, events: Path | None) -> None:
        self.client, self.redis, self.log, self.events = client, redis, log, events

    def live(self, user: str) -> None:
        """Everything a user can do: a history, answers alone and in a batch, feedback on them."""
        events = [{"user_id": user, "item_id": item, "timestamp": 1e9 + n} for n, item in enumerate(ITEMS)]
        assert self.client.call("POST", "/events", json={"events": events}).json()["accepted"] == len(ITEMS)
        answer = self.client.recommend(user_id=user).json()
        assert (answer["history"]["stored"], answer["experiment"]["source"]) == (True, "hash")
        self.client.call("POST", "/recommend/batch", json=[{"user_id": user}, {"user_id": user, "history": ITEMS[:2]}])
        told = {"feedback_token": answer["feedback_token"], "item_id": answer["items"][0]["item_id"], "event": "click"}
        assert self.client.call("POST", "/feedback", json=told).json()["counted"]
        assert self.report() > 0

    def report(self) -> int:
        """Users in the experiment's report."""
        cells = self.client.call("GET", "/experiments/width/report").json()["arms"]
        return sum(int(arm["units"]) for arm in cells)

    def left(self) -> str:
        """All of it as one text; the event log once through its own reader too."""
        found = [held_by(self.redis).decode("latin-1"), self.log.getvalue(), self.client.figures()]
        found += [self.events.read_text()] if self.events else []
        found += [json.dumps(self.client._loop.run(self.client.runtime.events.read())[0])]
        return "\n".join(found)

    def held(self) -> list[str]:
        return reachable(self.client.runtime, self.client.app.state.promise)


@contextmanager
def opened(redis: RedisServer, folder: Path, kind: str) -> Iterator[World]:
    (folder / "experiments.yaml").write_text(EXPERIMENTS)
    events, log = (folder / "events.jsonl" if kind == "file" else None), StringIO()
    chosen: dict[str, Any] = {
        "redis_url": SecretStr(redis.url),
        "redis_timeout_ms": 5000,
        "experiments": folder / "experiments.yaml",
        "feedback_secret": SecretStr(SECRET),
        "event_log": events,
    }
    with Client(made_runtime(made_model(CATALOGUE), log, **chosen)) as client:
        yield World(client, redis, log, events)


@pytest.mark.parametrize("kind", ["file", "stream"])
def test_no_user_id_is_at_rest_anywhere(redis: RedisServer, tmp_path: Path, kind: str) -> None:
    with opened(redis, tmp_path, kind) as world:
        world.live(WORD)
        for method, path, rest in requests(WORD, ITEMS[0])[:-1]:
            world.client.call(method, path, **rest)
        left, held = world.left(), world.held()
        digest, unit = at_rest(WORD, SECRET.encode()), world.client.runtime.tokens.unit(WORD)
        assert (digest in left, str(unit) in left) == (True, True), "what is searched holds what it should"
        assert WORD not in left
        assert not [text for text in held if WORD in text]
        assert at_rest(WORD) not in left, "a digest that anybody could make of a guessed id"


@pytest.mark.parametrize("kind", ["file", "stream"])
def test_a_forgotten_user_leaves_nothing(redis: RedisServer, tmp_path: Path, kind: str) -> None:
    """Not the history, no event, nothing that waits or is remembered; another user loses nothing."""
    with opened(redis, tmp_path, kind) as world:
        world.live(OTHER)
        alone = world.report()
        before = set(redis.command("KEYS", "promise:u:*"))
        world.live(WORD)
        assert world.report() == alone + 1
        assert world.client.call("DELETE", f"/users/{WORD}").status_code == 204
        names = at_rest(WORD, SECRET.encode()), str(world.client.runtime.tokens.unit(WORD))
        events = json.dumps(world.client._loop.run(world.client.runtime.events.read())[0])
        assert not [name for name in names if name in events]
        if kind == "file":
            assert not [name for name in names if name in world.left()]
        assert not [text for text in world.held() if any(name in text for name in names)]
        assert set(redis.command("KEYS", "promise:u:*")) == before
        assert world.report() == alone
        assert world.client.recommend(user_id=WORD).json()["history"]["used"] == 0
        assert world.client.recommend(user_id=OTHER).json()["history"]["used"] == len(ITEMS)
        assert str(world.client.runtime.tokens.unit(OTHER)) in events
        assert world.client.call("DELETE", f"/users/{WORD}").status_code == 204


def test_what_stays_cannot_be_told_to_be_a_users(redis: RedisServer, tmp_path: Path) -> None:
    """Encodings are named by what two users may have alike, duplicates of feedback by a request; both expire."""
    with opened(redis, tmp_path, "file") as world:
        for user in (WORD, OTHER):
            world.live(user)
        encodings = redis.command("KEYS", "promise:h:*")
        assert len(encodings) == 2, "of the two histories, one for both users each"
        world.client.call("DELETE", f"/users/{WORD}")
        left = redis.command("KEYS", "promise:*")
        assert {key.split(b":")[1] for key in left} == {b"h", b"u", b"f"}
        for key in left:
            assert redis.command("TTL", key) > 0, key


def test_whoever_has_a_history_can_be_forgotten(redis: RedisServer, tmp_path: Path) -> None:
    with opened(redis, tmp_path, "file") as world:
        for user in ("a\nb", "a/b", "/", "ü 🙂", "a%2Fb", "?a#b", "x" * 256):
            world.client.call("POST", "/events", json={"events": [{"user_id": user, "item_id": ITEMS[0]}]})
            assert len(redis.command("KEYS", "promise:u:*")) == 1, user
            assert world.client.call("DELETE", f"/users/{quote(user, safe='')}").status_code == 204
            assert redis.command("KEYS", "promise:u:*") == [], user


def test_retention_is_set_with_every_write(redis: RedisServer, tmp_path: Path) -> None:
    """A history expires so many days after its last new event, and holds so many items."""
    with opened(redis, tmp_path, "file") as world:
        world.live(WORD)
        (key,) = redis.command("KEYS", "promise:u:*")
        days = 90 * 86_400
        assert days - 60 <= redis.command("TTL", key) <= days
        redis.command("EXPIRE", key, 100)
        body = {"user_id": WORD, "item_id": ITEMS[0], "timestamp": 1e9}
        world.client.call("POST", "/events", json={"events": [body]})
        assert redis.command("TTL", key) <= 100, "an event that is there already renews nothing"
        world.client.call("POST", "/events", json={"events": [body | {"timestamp": 2e9}]})
        assert redis.command("TTL", key) > days - 60
        more = [body | {"timestamp": float(n)} for n in range(1000)]
        world.client.call("POST", "/events", json={"events": more})
        assert redis.command("ZCARD", key) == 1000
