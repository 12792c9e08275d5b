"""A bundle folder of which one file holds anything, under a hash that is right: it can be used, or is refused.

The first byte says which file is made anew and how: as it comes, or built of choices, since hardly any random bytes
are an archive.
"""

import hashlib
import io
import json
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import small_bundle
from numpy.typing import NDArray
from pydantic_core import to_json
from taken import Taken, check_sentence

from models import contract
from service.engine.bundle import Bundle, BundleError, load
from service.engine.held import constants
from service.engine.revision import Change, NewItem, revise
from service.filters import Filter, allowed_rows
from service.lookup.shown import shown

DTYPES = ("i1", "i4", "i8", "u8", "f2", "f4", "f8", "U3", "S3", "?", "c8", "M8[s]", "V4", "i4,f4")
MOST = 1 << 16  # entries of an array that a choice makes


def one(data: bytes) -> None:
    """Try one input."""
    taken = Taken(data)
    name, make = _CHANGES[taken.below(len(_CHANGES))]
    content = make(name, taken)
    stored = _FILES | {name: content}
    if name != contract.MANIFEST:
        stored[contract.MANIFEST] = small_bundle.encoded(_MANIFEST | {"files": _hashes(stored)})
    _put(stored)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            bundle = load(_FOLDER)
    except BundleError as refused:
        check_sentence(refused.detail)
        return
    _use(bundle)


def _use(bundle: Bundle) -> None:
    """What loaded must not break later."""
    catalogue = bundle.catalogue
    to_json([shown(catalogue, row) for row in (1, len(catalogue.ids))])
    to_json([bundle.manifest.tag, list(catalogue.samples), bundle.encoder_digest])
    for names, field in ((catalogue.category_codes, "category"), (catalogue.brand_codes, "brand")):
        for name in names:
            allowed_rows(catalogue, Filter(**{field: (name,)}))
    assert sorted(catalogue.by_popularity.tolist()) == list(range(1, len(catalogue.ids) + 1))
    constants(bundle, lambda array: array)
    revise(bundle, Change(retire=(catalogue.ids[0],), popularity={catalogue.ids[-1]: 3}))
    revise(bundle, Change(add=(NewItem(catalogue.ids[0] + "+", sid=_free(bundle)),)))


def _free(bundle: Bundle) -> tuple[int, ...]:
    taken = set(map(tuple, bundle.catalogue.sids.tolist()))
    ways = np.ndindex((bundle.manifest.codebook,) * bundle.manifest.depth)
    return next(path for path in ways if path not in taken)


def _raw(_: str, taken: Taken) -> bytes:
    return taken.rest()


def _manifest(_: str, taken: Taken) -> bytes:
    """JSON laid over the good manifest; the hashes stay right unless the JSON says otherwise."""
    try:
        found = json.loads(taken.rest())
    except (ValueError, RecursionError):
        found = None
    return small_bundle.encoded(_over(_MANIFEST | {"files": _hashes(_FILES)}, found))


def _over(base: Any, change: Any) -> Any:
    if not isinstance(base, dict) or not isinstance(change, dict):
        return change
    return base | {name: _over(base.get(name), value) for name, value in change.items()}


def _archive(name: str, taken: Taken) -> bytes:
    """The good archive with some of its arrays changed, left out, or replaced."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for column, array in _ARRAYS[name].items():
            way = taken.below(8)
            content = _plain(array) if way < 4 else (_none, _element, _chosen, _headed)[way - 4](array, taken)
            if content is not None:
                archive.writestr(f"{column}.npy", content)
    return stream.getvalue()


def _plain(array: NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def _none(_array: NDArray[Any], _taken: Taken) -> None:
    """No such array."""


def _element(array: NDArray[Any], taken: Taken) -> bytes:
    """A byte of one element set."""
    flat = bytearray(array.tobytes())
    if flat:
        flat[taken.below(len(flat))] = taken.below(256)
    return _plain(np.frombuffer(bytes(flat), array.dtype).reshape(array.shape))


def _chosen(_array: NDArray[Any], taken: Taken) -> bytes:
    """Any dtype, any shape, all elements of the same few bytes."""
    dtype = np.dtype(DTYPES[taken.below(len(DTYPES))])
    shape = tuple(taken.below(16) for _ in range(taken.below(4)))
    count, fill = int(np.prod(shape)), taken.some(dtype.itemsize).ljust(dtype.itemsize, b"\0")
    return _plain(np.frombuffer(fill * count, dtype).reshape(shape) if count else np.zeros(shape, dtype))


def _headed(array: NDArray[Any], taken: Taken) -> bytes:
    """A header of any text."""
    header, values = taken.part(), array.tobytes()
    return b"\x93NUMPY" + bytes([1 + taken.below(3), 0]) + len(header).to_bytes(2, "little") + header + values


def _hashes(stored: dict[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(content).hexdigest() for name, content in stored.items() if name != contract.MANIFEST}


def _put(stored: dict[str, bytes]) -> None:
    """Only what differs from the last input is written."""
    for name, content in stored.items():
        if _WRITTEN.get(name) != content:
            (_FOLDER / name).write_bytes(content)
            _WRITTEN[name] = content


_FILES = small_bundle.files()
_MANIFEST = small_bundle.manifest(_FILES)
_ARRAYS = {
    contract.CATALOGUE: small_bundle.catalogue(),
    contract.TABLES: small_bundle.tables(),
    contract.RELATIONS: small_bundle.relations(),
}
_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
_KEPT = tempfile.TemporaryDirectory(prefix="promise-fuzz-", dir=_MEMORY)
_FOLDER = Path(_KEPT.name)
_WRITTEN: dict[str, bytes] = {}
_CHANGES: tuple[tuple[str, Callable[[str, Taken], bytes]], ...] = (
    (contract.MANIFEST, _raw),
    (contract.MANIFEST, _manifest),
    (contract.TITLES, _raw),
    *((name, way) for name in _ARRAYS for way in (_raw, _archive)),
)
