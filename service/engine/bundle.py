"""Load a bundle: verify every hash, read catalogue and tables, build the trie (design section 3)."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from models import contract
from models.manifest import Manifest, sha256
from service.engine import archive, titles
from service.engine.catalogue import Catalogue, most_popular
from service.engine.tables import Tables, node_rows, tables_of
from service.errors import StartError
from service.search import trie as tries
from service.search.trie import Trie

MOST = 2**31 - 1
_WHOLES = ("popularity", "category", "brand", "sample_items", "sample_lengths")
COLUMNS: archive.Kinds = {
    **dict.fromkeys(("ids", "categories", "brands"), (archive.TEXT, 1)),
    **dict.fromkeys(_WHOLES, (archive.WHOLE, 1)),
    "sids": (archive.WHOLE, 2),
}
_NAMES = contract.TABLE_NAMES
TABLES: archive.Kinds = {
    _NAMES.item_rows: (archive.REAL, 2),
    _NAMES.code_rows: (archive.REAL, 3),
    _NAMES.prefix_rows: (archive.REAL, 2),
}
RELATED: archive.Kinds = {
    name: (archive.WHOLE if name in ("neighbour", "follower") else archive.REAL, 1 if name == "popularity" else 2)
    for name in contract.RELATED
}


class BundleError(StartError):
    """A bundle file is missing, damaged, or of another contract; the sentence names the file."""

    slug = "bad-bundle"
    title = "The bundle cannot be used"


@dataclass(frozen=True)
class Bundle:
    """A verified bundle. Graph files stay on disk until an engine opens them.

    A revised one (service.engine.revision) has the graphs and learned rows of its `origin`, the bundle as loaded.
    """

    path: Path
    manifest: Manifest
    catalogue: Catalogue
    trie: Trie
    tables: Tables
    relations: Mapping[str, NDArray[np.generic]] = field(default_factory=lambda: MappingProxyType({}))
    revision: int = 0
    origin: "Bundle | None" = None

    @property
    def version(self) -> str:
        """The manifest's, which in a revised bundle tells the changes too."""
        return self.manifest.version

    @property
    def encoder_digest(self) -> str:
        """Names what an encoding depends on beside the history: the encoder and the learned tables; 32 hex digits."""
        names = (contract.ENCODER.file, contract.TABLES, contract.EXTEND.file)  # with the last an encoding is longer
        hashes = (self.manifest.files[name] for name in names if name in self.manifest.files)
        return hashlib.blake2b("".join(hashes).encode(), digest_size=16).hexdigest()

    def graph(self, signature: contract.GraphSignature) -> Path:
        return self.path / signature.file


def load(path: Path) -> Bundle:
    """Read and verify the bundle in folder `path`.

    Raises:
        BundleError: anything missing, changed since its manifest was written, or not of this contract version.
    """
    manifest = read_manifest(path)
    verify_files(path, manifest)
    catalogue = _titled(_catalogue(path / contract.CATALOGUE, manifest), path / contract.TITLES, manifest)
    try:
        trie = tries.build(catalogue.sids)
    except ValueError as error:
        raise BundleError(f"{path / contract.CATALOGUE}: {error}.") from error
    tables = _tables(path / contract.TABLES, manifest, trie)
    relations = _relations(path / contract.RELATIONS, manifest) if manifest.correction else {}
    return Bundle(path, manifest, catalogue, trie, tables, relations)


def read_manifest(path: Path) -> Manifest:
    """The manifest of the bundle in folder `path`, its fields and contract version checked."""
    file = path / contract.MANIFEST
    try:
        manifest = Manifest.model_validate_json(file.read_bytes())
    except OSError as error:
        raise BundleError(
            f"{file}: cannot be read ({error.strerror}); PROMISE_BUNDLE must name a bundle folder."
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = _shown(".".join(map(str, first["loc"]))) or "the document"
        raise BundleError(f"{file}: {where}: {first['msg']}.") from error
    if manifest.contract_version != contract.CONTRACT_VERSION:
        raise BundleError(
            f"{file}: contract version {manifest.contract_version}, this service speaks {contract.CONTRACT_VERSION}."
        )
    return manifest


def _shown(name: str) -> str:
    """A name out of the manifest with what is not printable spelt out: it goes to terminals and logs."""
    return repr(name)[1:-1]


def verify_files(path: Path, manifest: Manifest) -> None:
    """Every file the contract needs is listed, and every listed file has the bytes the manifest was written for."""
    corrected, voted = manifest.correction is not None, manifest.votes is not None
    graphs = contract.graphs(manifest.dims.decoder_layers, manifest.depth, manifest.prm, corrected, voted)
    needed = [*(graph.file for graph in graphs), contract.TABLES, contract.CATALOGUE]
    needed += [contract.RELATIONS] if corrected else []
    for name in sorted({*needed, *manifest.files}):
        if name not in manifest.files:
            raise BundleError(f"{path / contract.MANIFEST}: lists no hash for {_shown(name)}.")
        if Path(name).name != name:
            raise BundleError(f"{path / contract.MANIFEST}: '{_shown(name)}' is not a plain file name.")
        try:
            actual = sha256(path / name)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise BundleError(f"{path / _shown(name)}: cannot be read ({reason}).") from error
        if actual != manifest.files[name]:
            raise BundleError(f"{path / _shown(name)}: damaged or replaced, its sha256 is not the one in the manifest.")


def _arrays(file: Path, wanted: archive.Kinds, what: str) -> archive.Arrays:
    try:
        return archive.read(file, wanted, what)
    except ValueError as error:
        raise BundleError(f"{file}: {error}.") from error


def _catalogue(file: Path, manifest: Manifest) -> Catalogue:
    arrays = _arrays(file, COLUMNS, "column")
    try:
        catalogue = _columns(arrays, manifest)
    except ValueError as error:
        raise BundleError(f"{file}: a column is malformed ({error}).") from error
    if len(catalogue.rows) != manifest.items or catalogue.sids.shape != (manifest.items, manifest.depth):
        raise BundleError(f"{file}: does not hold the {manifest.items} distinct items of the manifest.")
    if any(len(column) != manifest.items for column in (catalogue.popularity, catalogue.category, catalogue.brand)):
        raise BundleError(f"{file}: a column does not have one entry for each of the {manifest.items} items.")
    return replace(catalogue, by_popularity=most_popular(catalogue.popularity, np.ones(len(catalogue.ids), np.bool_)))


def _columns(arrays: archive.Arrays, manifest: Manifest) -> Catalogue:
    """The catalogue without its order.

    Raises:
        ValueError: a number out of range, or a text that is none.
    """
    ids, categories, brands = (archive.texts(arrays[name]) for name in ("ids", "categories", "brands"))
    if not all(ids):
        raise ValueError("an empty item id")
    lengths = archive.whole(arrays["sample_lengths"], 0, MOST).astype(np.int64)
    rows = archive.whole(arrays["sample_items"], 1, len(ids) + 1)
    if lengths.sum() != len(rows):
        raise ValueError(f"samples of {lengths.sum()} items, of which {len(rows)} are there")
    samples = np.split(rows, np.cumsum(lengths)[:-1]) if len(lengths) else []
    return Catalogue(
        ids=ids,
        rows={item: row for row, item in enumerate(ids, start=1)},
        sids=archive.whole(arrays["sids"], 0, manifest.codebook),
        popularity=archive.whole(arrays["popularity"], 0, MOST),
        categories=categories,
        category=archive.whole(arrays["category"], -1, len(categories)),
        brands=brands,
        brand=archive.whole(arrays["brand"], -1, len(brands)),
        samples=tuple(tuple(ids[row - 1] for row in some) for some in samples),
        by_popularity=np.zeros(0, np.int32),
    )


def _titled(catalogue: Catalogue, file: Path, manifest: Manifest) -> Catalogue:
    """The catalogue with the titles in `file`, if the manifest lists one."""
    if file.name not in manifest.files:
        return catalogue
    try:
        with file.open("rb") as lines:
            return replace(catalogue, titles=titles.read(lines, catalogue.rows))
    except OSError as error:
        raise BundleError(f"{file}: cannot be read ({error.strerror}).") from error
    except ValueError as error:
        raise BundleError(f"{file}, {error}.") from error


def _relations(file: Path, manifest: Manifest) -> dict[str, NDArray[np.generic]]:
    """The arrays of contract.CORRECTION that speak of all items."""
    arrays, items = _arrays(file, RELATED, "table"), manifest.items
    if any(len(array) != items + 1 for array in arrays.values()):
        raise BundleError(f"{file}: a table does not have a row for each of the {items} items.")
    try:
        for array in arrays.values():
            _ = archive.real(array) if array.dtype.kind in archive.REAL else archive.whole(array, -1, items + 1)
    except ValueError as error:
        raise BundleError(f"{file}: a table is malformed ({error}).") from error
    return dict(arrays)


def _tables(file: Path, manifest: Manifest, trie: Trie) -> Tables:
    arrays, width, depth = _arrays(file, TABLES, "table"), manifest.dims.width, manifest.depth
    try:
        item_rows, codes, residual = (archive.real(arrays[name]) for name in TABLES)
    except ValueError as error:
        raise BundleError(f"{file}: a table is malformed ({error}).") from error
    inner_nodes = trie.first_leaf - 1
    if item_rows.shape != (manifest.items + 1, width) or codes.shape != (depth, manifest.codebook, width):
        raise BundleError(f"{file}: table shapes do not match the manifest.")
    if residual.shape == (inner_nodes, width):
        residual = np.concatenate([residual, item_rows[trie.leaf_row]])
    if residual.shape != (trie.nodes - 1, width):
        raise BundleError(f"{file}: {len(residual)} prefix rows for {trie.nodes - 1} prefixes.")
    rows = node_rows(trie, codes, residual)
    if np.abs(rows).max() > archive.LARGEST:
        raise BundleError(f"{file}: rows whose sum is too large.")
    return tables_of(item_rows, rows, codes)
