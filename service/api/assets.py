"""The files of service/web, read once at start: a request can name no other, whatever its path says."""

import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from starlette.requests import Request
from starlette.responses import Response

FOLDER = Path(__file__).resolve().parent.parent / "web"
MEDIA_TYPES = MappingProxyType(
    {
        ".html": "text/html; charset=utf-8",
        ".css": "text/css; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".svg": "image/svg+xml",
    }
)
_GZIP = re.compile(r"gzip(;q=(1|1\.0*|0\.0*[1-9]\d*))?")  # any weight but 0
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)


def guarded(policy: str = POLICY) -> dict[str, str]:
    """Headers of whatever a browser shows as a page: nothing from elsewhere, nothing inline, no framing."""
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }


@dataclass(frozen=True)
class Asset:
    """One file as it is sent, and compressed; `tag` changes with its bytes."""

    content: bytes
    packed: bytes
    media_type: str
    tag: str

    def response(self, request: Request) -> Response:
        """The file in the form that the caller takes, or 304 where it has these bytes already."""
        packed = _takes_gzip(request)
        tag = f'"{self.tag}-gzip"' if packed else f'"{self.tag}"'
        headers = {**guarded(), "ETag": tag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
        if _has(request, tag):
            return Response(status_code=304, headers=headers)
        if packed:
            return Response(self.packed, headers=headers | {"Content-Encoding": "gzip"}, media_type=self.media_type)
        return Response(self.content, headers=headers, media_type=self.media_type)


def _takes_gzip(request: Request) -> bool:
    """Whether gzip is named and not refused by `q=0`."""
    parts = [part.replace(" ", "").lower() for part in _listed(request, "accept-encoding")]
    return any(_GZIP.fullmatch(part) for part in parts)


def _has(request: Request, tag: str) -> bool:
    tags = [known.removeprefix("W/") for known in _listed(request, "if-none-match")]
    return tag in tags or "*" in tags


def _listed(request: Request, header: str) -> list[str]:
    return [part.strip() for line in request.headers.getlist(header) for part in line.split(",")]


def read(folder: Path = FOLDER) -> Mapping[str, Asset]:
    """Every page, style, script and picture below the folder, by its path inside; links are not followed."""
    files = sorted(path for path in folder.rglob("*") if path.suffix in MEDIA_TYPES and _plain(path))
    return MappingProxyType({path.relative_to(folder).as_posix(): _asset(path) for path in files})


def _plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _asset(path: Path) -> Asset:
    content = path.read_bytes()
    digest = hashlib.blake2b(content, digest_size=12).hexdigest()
    return Asset(content, gzip.compress(content, 9, mtime=0), MEDIA_TYPES[path.suffix], digest)
