"""Arrays of a bundle out of an .npz file, which may hold anything: nothing is executed, and little is believed."""

import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

RATIO, FREE = 100, 64 << 20  # how many times the file its arrays may be, and what any file may hold; a bomb is more
SHOWN = 120  # characters of what a parser says
LARGEST = float(np.finfo(np.float16).max)
WHOLE, TEXT, REAL = "iu", "U", "f"  # kinds of dtypes

Kinds = Mapping[str, tuple[str, int]]  # name → kinds of dtype, number of dimensions
Arrays = dict[str, NDArray[Any]]


def read(file: Path, wanted: Kinds, what: str) -> Arrays:
    """The arrays of these names, each of its kind and of so many dimensions; `what` they are called in an error.

    Raises:
        ValueError: not an archive, or an array is missing or of another kind; says which.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            found = _all(archive, file.stat().st_size)
    except Exception as error:  # zipfile and numpy let through whatever their parsers raise
        reason = " ".join(str(error).split())[:SHOWN]
        raise ValueError(f"not a readable array archive ({ascii(reason)[1:-1] or type(error).__name__})") from error
    for name, (kinds, dimensions) in wanted.items():
        if name not in found:
            raise ValueError(f"{what} '{name}' is missing")
        if found[name].dtype.kind not in kinds or found[name].ndim != dimensions:
            raise ValueError(f"{what} '{name}' is malformed: not {dimensions}-dimensional, or of another type")
    return {name: found[name] for name in wanted}


def whole(array: NDArray[Any], least: int, end: int) -> NDArray[np.int32]:
    """The numbers as int32.

    Raises:
        ValueError: one is below `least`, or not below `end`.
    """
    if array.size and (array.min() < least or array.max() >= end):
        raise ValueError(f"numbers from {array.min()} to {array.max()}, where they should be from {least} to {end - 1}")
    return array.astype(np.int32)


def texts(array: NDArray[Any]) -> tuple[str, ...]:
    """The texts as strings.

    Raises:
        ValueError: one cannot be sent as UTF-8.
    """
    try:
        found = tuple(map(str, array))
    except SystemError:  # numpy's, of code points that are none
        raise ValueError("a text with a character that is none") from None
    "".join(found).encode()
    return found


def real(array: NDArray[Any]) -> NDArray[np.float32]:
    """The numbers as float32.

    Raises:
        ValueError: one does not fit float16: too large, or not a number.
    """
    if array.size and not (np.abs(array).max() <= LARGEST):  # so that NaN is refused too
        raise ValueError("a number that is none, or too large")
    return array.astype(np.float32)


def _all(archive: zipfile.ZipFile, size: int) -> Arrays:
    entries = archive.infolist()
    if sum(entry.file_size for entry in entries) > max(FREE, RATIO * size):
        raise ValueError("its arrays would be far larger than itself")
    found: Arrays = {}
    for entry in entries:
        with archive.open(entry) as stream:
            found[entry.filename.removesuffix(".npy")] = _array(stream, entry.file_size)
    return found


def _array(stream: IO[bytes], size: int) -> NDArray[Any]:
    """One array: looked at before memory is taken for it, since a header may promise anything."""
    version = npy.read_magic(stream)
    header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = header(stream)
    if dtype.hasobject:
        raise ValueError("an array of objects")
    if stream.tell() + math.prod(shape) * dtype.itemsize != size:
        raise ValueError("an array whose header promises another size")
    stream.seek(0)
    array: NDArray[Any] = npy.read_array(stream, allow_pickle=False)
    return array
