"""A bundle with a correction loads whole; anything missing or short stops with one sentence that names the file."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_corrected import RECIPE, corrected_bundle, made_correction
from tiny import BUNDLE_ITEMS, Bundles

from models import contract
from models.manifest import sha256
from service.engine.bundle import BundleError, load
from service.engine.graphs import OnnxEngine
from service.engine.sessions import signatures

Change = Callable[[dict[str, Any]], object]
FILES = (contract.CORRECTION.file, contract.RELATIONS)


@pytest.fixture(scope="module")
def whole(bundles: Bundles, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corrected") / "bundle"
    return corrected_bundle(bundles.inner, folder, made_correction(BUNDLE_ITEMS))


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(whole, tmp_path / "bundle"))


def edit_manifest(folder: Path, change: Change) -> None:
    path = folder / contract.MANIFEST
    facts = json.loads(path.read_text("utf-8"))
    change(facts)
    path.write_text(json.dumps(facts), "utf-8")


def replace_relations(folder: Path, content: bytes) -> None:
    """As a forger would: the manifest knows the new hash."""
    (folder / contract.RELATIONS).write_bytes(content)
    digest = sha256(folder / contract.RELATIONS)
    edit_manifest(folder, lambda facts: facts["files"].update({contract.RELATIONS: digest}))


def edit_relations(folder: Path, change: Change) -> None:
    with np.load(folder / contract.RELATIONS) as stored:
        arrays: dict[str, Any] = dict(stored)
    change(arrays)
    np.savez(folder / "new.npz", allow_pickle=False, **arrays)
    replace_relations(folder, (folder / "new.npz").read_bytes())


def refusal(folder: Path) -> str:
    """The one sentence."""
    with pytest.raises(BundleError) as caught:
        load(folder)
    assert "\n" not in caught.value.detail
    assert caught.value.detail.endswith(".")
    return caught.value.detail


def test_a_whole_one_says_what_it_corrects(whole: Path, bundles: Bundles) -> None:
    bundle, plain = load(whole), load(bundles.inner)
    assert bundle.manifest.correction is not None
    assert plain.manifest.correction is None
    assert (bundle.manifest.correction.pool, bundle.manifest.correction.newest) == (RECIPE.pool, RECIPE.newest)
    assert tuple(bundle.relations) == contract.RELATED
    assert not plain.relations
    assert {*signatures(bundle.manifest)} - {*signatures(plain.manifest)} == {contract.CORRECTION}
    assert bundle.encoder_digest == plain.encoder_digest, "encodings are those of before"


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert refusal(folder).startswith(f"{folder / name}: cannot be read")


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_not_listed_is_named(folder: Path, name: str) -> None:
    edit_manifest(folder, lambda facts: facts["files"].pop(name))
    assert refusal(folder) == f"{folder / contract.MANIFEST}: lists no hash for {name}."


@pytest.mark.parametrize("name", FILES)
def test_one_changed_byte_is_noticed(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    assert refusal(folder).startswith(f"{folder / name}: damaged or replaced")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and no more", b"\x93NUMPY", b"something else"])
def test_what_is_no_archive_is_refused_whatever_the_manifest_says(folder: Path, content: bytes) -> None:
    replace_relations(folder, content)
    assert refusal(folder).startswith(f"{folder / contract.RELATIONS}: not a readable array archive")


@pytest.mark.parametrize("name", contract.RELATED)
def test_a_missing_table_is_named(folder: Path, name: str) -> None:
    edit_relations(folder, lambda arrays: arrays.pop(name))
    assert refusal(folder) == f"{folder / contract.RELATIONS}: table '{name}' is missing."


@pytest.mark.parametrize("name", contract.RELATED)
@pytest.mark.parametrize("cut", [lambda table: table[1:], lambda table: table[:0], lambda table: table.flat[0]])
def test_a_table_without_a_row_for_every_item_is_refused(folder: Path, name: str, cut: Callable[[Any], Any]) -> None:
    edit_relations(folder, lambda arrays: arrays.update({name: cut(arrays[name])}))
    assert refusal(folder).startswith(f"{folder / contract.RELATIONS}: ")


@pytest.mark.parametrize("shape", [{"pool": 0, "newest": 5}, {"pool": 5, "newest": 0}, {"pool": 5}, 7])
def test_a_shape_that_cannot_be_is_refused(folder: Path, shape: object) -> None:
    edit_manifest(folder, lambda facts: facts.update(correction=shape))
    assert refusal(folder).startswith(f"{folder / contract.MANIFEST}: correction")


def test_a_manifest_that_tells_of_none_is_served_without(folder: Path) -> None:
    edit_manifest(folder, lambda facts: facts.update(correction=None))
    bundle = load(folder)
    assert not bundle.relations
    engine = OnnxEngine(bundle, "cpu", 1)
    assert engine.pool == 0


def test_a_manifest_of_before_there_were_any_is_read(folder: Path) -> None:
    edit_manifest(folder, lambda facts: facts.pop("correction"))
    assert load(folder).manifest.correction is None


def test_a_graph_of_another_signature_is_named(folder: Path) -> None:
    (folder / contract.CORRECTION.file).write_bytes((folder / contract.PRM.file).read_bytes())
    digest = sha256(folder / contract.CORRECTION.file)
    edit_manifest(folder, lambda facts: facts["files"].update({contract.CORRECTION.file: digest}))
    with pytest.raises(BundleError, match="inputs and outputs are not those"):
        OnnxEngine(load(folder), "cpu", 1)
