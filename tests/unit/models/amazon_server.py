"""A local server with generated files in the public raw form, which misbehaves when told to."""

import gzip
import hashlib
import json
import random
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

REVIEWS, META = "reviews_Beauty_5.json.gz", "meta_Beauty.json.gz"


@dataclass
class Server:
    """What the server has and how it behaves; `asked` keeps (path, Range, If-Range, status) of every request."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    validators: bool = True
    weak: bool = False
    ranges: bool = True
    lengths: bool = True
    wrong_start: bool = False
    break_after: list[int] = field(default_factory=list)  # bytes of the body, for the first responses to come
    statuses: list[int] = field(default_factory=list)  # for the first requests to come
    asked: list[tuple[str, str | None, str | None, int]] = field(default_factory=list)

    def statuses_of(self, name: str) -> list[int]:
        return [status for path, _, _, status in self.asked if path == f"/{name}"]


class Handler(BaseHTTPRequestHandler):
    behaviour: Server

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        self.close_connection = True
        server, body = self.behaviour, self.behaviour.files.get(self.path[1:])
        if server.statuses or body is None:
            return self.answer(server.statuses.pop(0) if server.statuses else 404, b"", {})
        tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        headers = {"ETag": f"W/{tag}" if server.weak else tag} if server.validators else {}
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        fresh = self.headers.get("If-Range") in (None, tag)
        if not (asked and fresh and server.ranges):
            return self.answer(200, body, headers)
        start = int(asked[1])
        if start >= len(body):
            return self.answer(416, b"", headers | {"Content-Range": f"bytes */{len(body)}"})
        start -= server.wrong_start
        return self.answer(206, body[start:], headers | {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"})

    def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        server = self.behaviour
        server.asked.append((self.path, self.headers.get("Range"), self.headers.get("If-Range"), status))
        self.send_response(status)
        if server.lengths:
            self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: server.break_after.pop(0)] if body and server.break_after else body)


@contextmanager
def serving() -> Iterator[Server]:
    behaviour = Server(files={REVIEWS: raw_reviews(), META: raw_metadata()})
    handler = type("BehavingHandler", (Handler,), {"behaviour": behaviour})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as listener:
        thread = threading.Thread(target=listener.serve_forever, args=(0.01,))
        thread.start()
        behaviour.url = f"http://127.0.0.1:{listener.server_port}"
        yield behaviour
        listener.shutdown()
        thread.join()


def raw_reviews() -> bytes:
    chance = random.Random(0)
    lines = [
        {"reviewerID": f"U{n % 50}", "asin": f"A{chance.randrange(80)}", "unixReviewTime": 1_300_000_000 + n}
        for n in range(2000)
    ]
    return gzip.compress("".join(json.dumps(line) + "\n" for line in lines).encode(), mtime=0)


def raw_metadata() -> bytes:
    lines = [{"asin": f"A{n}", "title": f"It's no. {n}", "categories": [["Beauty", "Hair"]]} for n in range(90)]
    return gzip.compress("".join(f"{line}\n" for line in lines).encode(), mtime=0)
