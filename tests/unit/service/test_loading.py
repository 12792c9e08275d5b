"""A bundle is opened whole or refused with a sentence."""

from pathlib import Path

import pytest

from service import loading
from service.cache.encodings import EncodingCache
from service.cache.memory import MemoryCache
from service.errors import StartError
from service.settings import Settings


def test_a_bundle_that_the_memory_has_no_room_for_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_folder: Path, _settings: Settings) -> loading.Model:
        raise MemoryError

    monkeypatch.setattr(loading, "load_model", full)
    loader = loading.Loader(Settings(device="cpu"), EncodingCache(MemoryCache(1 << 20), None, 60))
    with pytest.raises(StartError) as refused:
        loader.open(tmp_path)
    assert refused.value.detail == f"{tmp_path}: there is too little memory to open this bundle."
