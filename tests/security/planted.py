"""One word planted in every place of every request, and where to look for it afterwards."""

import gc
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, ModuleType
from typing import Any
from urllib.parse import quote

from redis_server import RedisServer

CODE = (ModuleType, FunctionType, BuiltinFunctionType, CodeType, FrameType, type)


def requests(word: str, item: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Method, path and the rest: the word as a user id, and in whatever else a caller may send."""
    history = {"history": [item], "user_id": word}
    headers = {"X-Request-ID": f"{word}!", "User-Agent": word, "Cookie": f"session={word}", "X-Forwarded-For": word}
    feedback = {"feedback_token": word, "item_id": item, "event": "click"}
    found: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "/recommend", {"json": history, "headers": headers}),
        ("POST", "/recommend", {"json": {"user_id": word}}),
        ("POST", "/recommend", {"json": {**history, "explain": True, "budget": "exact"}}),
        ("POST", "/recommend", {"json": {**history, "k": word}}),
        ("POST", "/recommend", {"json": {**history, word: 1}}),
        ("POST", "/recommend", {"json": {**history, "budget": word}}),
        ("POST", "/recommend", {"json": {**history, "strategy": word}}),
        ("POST", "/recommend", {"json": {**history, "filter": {"brand": word}}}),
        ("POST", "/recommend", {"content": f'{{"user_id": "{word}", '.encode()}),
        ("POST", "/recommend", {"json": history, "headers": {"X-AB-Bucket": word}}),
        ("POST", "/recommend", {"json": history, "headers": {"X-Request-Timeout-Ms": word}}),
        ("POST", "/recommend", {"json": history, "headers": {"traceparent": word, "Content-Type": word}}),
        ("POST", "/recommend/batch", {"json": [history, {"user_id": word}, {word: word}]}),
        ("POST", "/events", {"json": {"events": [{"user_id": word, "item_id": item, "timestamp": 1.0}]}}),
        ("POST", "/events", {"json": {"events": [{"user_id": word, "item_id": 7}]}}),
        ("POST", "/feedback", {"json": feedback}),
        ("GET", f"/{quote(word)}?user={quote(word)}", {}),
        ("GET", f"/web/{quote(word)}", {}),
        ("GET", f"/catalogue/items?q={quote(word)}", {}),
        ("GET", f"/catalogue/items?bundle={quote(word)}", {}),
        ("GET", f"/experiments/{quote(word)}/report", {}),
        ("GET", f"/v2/models/{quote(word)}", {}),
        ("GET", "/admin/bundles", {"headers": {"Authorization": f"Bearer {word}"}}),
        ("POST", f"/admin/bundles/{quote(word)}/reload?token={quote(word)}", {"json": {"path": word}}),
        ("GET", "/health/ready", {"headers": {"X-API-Key": word}}),
    ]
    return [*found, ("DELETE", f"/users/{quote(word)}", {})]


def reachable(*roots: Any) -> list[str]:
    """Every text and byte string that the objects hold, code apart."""
    seen, texts, waiting = set[int](), list[str](), list[Any](roots)
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, CODE):
            continue
        seen.add(id(one))
        if isinstance(one, str):
            texts.append(one)
        elif isinstance(one, bytes | bytearray):
            texts.append(bytes(one).decode("utf-8", "replace"))
        else:
            waiting += gc.get_referents(one)
    return texts


def held_by(server: RedisServer) -> bytes:
    """What a copy of the whole server would give away: its dump on disk, uncompressed, and every key by name."""
    server.command("CONFIG", "SET", "rdbcompression", "no")
    server.command("CONFIG", "SET", "appendonly", "no")
    server.command("SAVE")
    folder, name = server.command("CONFIG", "GET", "dir")[1], server.command("CONFIG", "GET", "dbfilename")[1]
    with open(f"{folder.decode()}/{name.decode()}", "rb") as dump:
        return dump.read() + b"\n".join(server.command("KEYS", "*"))
