"""A whole bundle loads; anything else stops with one sentence that names the file."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny import BUNDLE_ITEMS, CODES, DEPTH, Bundles, made_sids

from models.manifest import sha256
from service.engine.bundle import Bundle, BundleError, load
from service.errors import StartError

ARRAYS = ("catalogue.npz", "tables.npz")
GRAPHS = ("encoder.onnx", "context.onnx", "generator-2.onnx", "generator-3.onnx", "prm.onnx", "scan.onnx")
FILES = (*ARRAYS, *GRAPHS)
Change = Callable[[dict[str, Any]], None]


@pytest.fixture
def folder(bundles: Bundles, tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(bundles.inner, tmp_path / "bundle"))


def edit_manifest(folder: Path, change: Change) -> None:
    path = folder / "manifest.json"
    facts = json.loads(path.read_text("utf-8"))
    change(facts)
    path.write_text(json.dumps(facts), "utf-8")


def replace_file(folder: Path, name: str, content: bytes) -> None:
    """As a forger would: the manifest knows the new hash."""
    (folder / name).write_bytes(content)
    edit_manifest(folder, lambda facts: facts["files"].update({name: sha256(folder / name)}))


def edit_arrays(folder: Path, name: str, change: Change) -> None:
    with np.load(folder / name) as stored:
        arrays: dict[str, Any] = dict(stored)
    change(arrays)
    np.savez(folder / "new.npz", allow_pickle=False, **arrays)
    replace_file(folder, name, (folder / "new.npz").read_bytes())


def refusal(folder: Path) -> str:
    """The one sentence."""
    with pytest.raises(BundleError) as caught:
        load(folder)
    assert isinstance(caught.value, StartError)
    assert "\n" not in caught.value.detail
    assert caught.value.detail.endswith(".")
    return caught.value.detail


def test_a_whole_bundle_says_what_was_exported(bundles: Bundles) -> None:
    bundle = load(bundles.inner)
    catalogue, sids = bundle.catalogue, made_sids(BUNDLE_ITEMS)
    assert bundle.manifest.tag == "tiny@1"
    assert np.array_equal(catalogue.sids, sids)
    assert catalogue.ids[:2] == ("i000", "i001")
    assert catalogue.rows["i007"] == 8
    assert catalogue.popularity.tolist() == [n % 7 for n in range(BUNDLE_ITEMS)]
    assert catalogue.by_popularity[:3].tolist() == [7, 14, 21]
    assert catalogue.samples == (("i002", "i003", "i004", "i005"), tuple(f"i{n:03}" for n in range(9, 15)))
    assert (catalogue.categories, catalogue.brands) == (("all > some",), ("a brand",))
    assert not catalogue.category.any()
    assert (bundle.trie.depth, bundle.trie.items) == (DEPTH, BUNDLE_ITEMS)


def test_a_bundle_as_loaded_is_no_revision(bundles: Bundles) -> None:
    bundle = load(bundles.inner)
    assert (bundle.version, bundle.revision, bundle.origin) == ("1", 0, None)
    assert bundle.catalogue.learned == BUNDLE_ITEMS
    assert dict(bundle.catalogue.category_codes) == {"all": [0], "all > some": [0]}
    assert dict(bundle.catalogue.brand_codes) == {"a brand": [0]}
    with np.load(bundles.inner / "tables.npz") as stored:
        assert np.array_equal(bundle.tables.code_rows, stored["code_rows"].astype(np.float32))


def test_encodings_are_named_after_what_they_depend_on(bundles: Bundles) -> None:
    bundle = load(bundles.inner)
    digests = {name: digest_with(bundle, name) for name in FILES}
    changed = {name for name, digest in digests.items() if digest != bundle.encoder_digest}
    assert changed == {"encoder.onnx", "tables.npz"}
    assert len(set(digests.values())) == 3
    assert load(bundles.inner).encoder_digest == bundle.encoder_digest


def digest_with(bundle: Bundle, changed: str) -> str:
    files = bundle.manifest.files | {changed: "0" * 64}
    return replace(bundle, manifest=bundle.manifest.model_copy(update={"files": files})).encoder_digest


def test_the_tables_are_the_trained_rows(bundles: Bundles) -> None:
    network = bundles.network
    item_rows = network.features.rows(network.catalogue)
    for form, path in (("inner", bundles.inner), ("cross", bundles.cross)):
        tables = load(path).tables
        np.testing.assert_allclose(tables.item_rows, item_rows.detach().numpy(), atol=2e-3)
        assert not tables.item_rows[0].any()
        rows = torch.cat([network.rows(b, item_rows, form) for b in range(DEPTH)])
        np.testing.assert_allclose(tables.node_rows[1:], rows.detach().numpy(), atol=5e-3)


def test_nothing_of_the_exporting_machine_is_in_the_graphs(bundles: Bundles) -> None:
    for file in sorted(bundles.inner.glob("*.onnx")):
        content = file.read_bytes()
        assert b".py" not in content, file.name
        assert str(Path(__file__).resolve().parents[4]).encode() not in content, file.name


@pytest.mark.parametrize("name", FILES)
def test_one_changed_byte_is_noticed(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    assert refusal(folder).startswith(f"{folder / name}: damaged or replaced")


@pytest.mark.parametrize("name", [*FILES, "manifest.json"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert refusal(folder).startswith(f"{folder / name}: cannot be read")


@pytest.mark.parametrize("name", [*FILES, "manifest.json"])
def test_a_folder_in_a_files_place_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    (folder / name).mkdir()
    assert refusal(folder).startswith(f"{folder / name}: cannot be read")


@pytest.mark.parametrize("content", [b"", b"not json", b"[]", b"{}", b'{"name": "x"', b"\xff\xfe\x00"])
def test_a_manifest_that_is_none_is_refused(folder: Path, content: bytes) -> None:
    (folder / "manifest.json").write_bytes(content)
    assert refusal(folder).startswith(f"{folder / 'manifest.json'}: ")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda facts: facts.update(contract_version=99), "contract version 99"),
        (lambda facts: facts.update(colour="red"), "colour"),
        (lambda facts: facts.update(setting="C"), "setting"),
        (lambda facts: facts["dims"].update(width=0), "dims.width"),
        (lambda facts: facts["files"].pop("prm.onnx"), "no hash for prm.onnx"),
        (lambda facts: facts["files"].pop("scan.onnx"), "no hash for scan.onnx"),
        (lambda facts: facts["files"].pop("context.onnx"), "no hash for context.onnx"),
        (lambda facts: facts["files"].pop("generator-3.onnx"), "no hash for generator-3.onnx"),
        (lambda facts: facts["files"].update({"../secret": "00"}), "'../secret' is not a plain file name"),
        (lambda facts: facts["files"].update({"/etc/hostname": "00"}), "'/etc/hostname' is not a plain file name"),
        (lambda facts: facts["files"].update({"a/b": "00"}), "'a/b' is not a plain file name"),
        (lambda facts: facts["files"].update({".": "00"}), "'.' is not a plain file name"),
    ],
)
def test_a_foreign_manifest_is_named_with_what_is_wrong(folder: Path, change: Change, reason: str) -> None:
    edit_manifest(folder, change)
    sentence = refusal(folder)
    assert sentence.startswith(f"{folder / 'manifest.json'}: ")
    assert reason in sentence


@pytest.mark.parametrize("name", ["..", "", "a\x00b", "no-such-file"])
def test_a_listed_name_that_is_no_file_is_refused(folder: Path, name: str) -> None:
    edit_manifest(folder, lambda facts: facts["files"].update({name: "00"}))
    assert "cannot be read" in refusal(folder)


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and no more", b"\x93NUMPY", b"something else"])
def test_arrays_that_are_none_are_refused_whatever_the_manifest_says(folder: Path, name: str, content: bytes) -> None:
    replace_file(folder, name, content)
    assert refusal(folder).startswith(f"{folder / name}: not a readable array archive")


@pytest.mark.parametrize("name", ARRAYS)
def test_one_array_is_no_archive(folder: Path, name: str) -> None:
    np.save(folder / "one.npy", np.zeros(3))
    replace_file(folder, name, (folder / "one.npy").read_bytes())
    assert refusal(folder).startswith(f"{folder / name}: ")


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("catalogue.npz", lambda arrays: arrays.pop("ids")),
        ("catalogue.npz", lambda arrays: arrays.update(ids=arrays["ids"][1:])),
        ("catalogue.npz", lambda arrays: arrays.update(ids=np.array(["same"] * BUNDLE_ITEMS))),
        ("catalogue.npz", lambda arrays: arrays.update(sids=arrays["sids"][:, :2])),
        ("catalogue.npz", lambda arrays: arrays.update(sids=np.repeat(arrays["sids"][:1], BUNDLE_ITEMS, 0))),
        ("catalogue.npz", lambda arrays: arrays.update(sids=arrays["sids"] + np.uint16(CODES))),
        ("catalogue.npz", lambda arrays: arrays.update(popularity=arrays["popularity"][1:])),
        ("catalogue.npz", lambda arrays: arrays.update(brand=arrays["brand"][1:])),
        ("catalogue.npz", lambda arrays: arrays.update(sample_items=arrays["sample_items"] + 10_000)),
        ("tables.npz", lambda arrays: arrays.pop("code_rows")),
        ("tables.npz", lambda arrays: arrays.update(item_rows=arrays["item_rows"][1:])),
        ("tables.npz", lambda arrays: arrays.update(code_rows=arrays["code_rows"][:, :, 1:])),
        ("tables.npz", lambda arrays: arrays.update(prefix_rows=arrays["prefix_rows"][1:])),
    ],
)
def test_columns_that_do_not_fit_are_refused(folder: Path, name: str, change: Change) -> None:
    edit_arrays(folder, name, change)
    assert refusal(folder).startswith(f"{folder / name}: ")


def test_there_is_no_bundle(tmp_path: Path) -> None:
    assert "PROMISE_BUNDLE must name a bundle folder" in refusal(tmp_path / "nowhere")
