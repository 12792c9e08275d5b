"""A bundle that was never a file: random codes and tables, names of categories and brands, no graphs."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from made import made_catalogue

from models import contract
from models.manifest import Dims, Manifest, Provenance, Scoring
from service.engine.bundle import Bundle
from service.engine.catalogue import Catalogue
from service.engine.tables import node_rows, tables_of
from service.search.trie import build

WIDTH = 4
CATEGORIES = ("Beauty", "Beauty > Hair", "Beauty > Hair > Oils", "Beauty > Haircuts", "Garden > Tools", "Oils", "")
BRANDS = ("", "Almay", "L'Oreal Paris", "almay", "theBalm")


def named_catalogue(items: int = 300, depth: int = 3, codes: int = 8, seed: int = 0) -> Catalogue:
    """A made catalogue whose items have categories and brands; some have none."""
    rng = np.random.default_rng(seed)
    category = rng.integers(-1, len(CATEGORIES), items).astype(np.int32)
    brand = rng.integers(-1, len(BRANDS), items).astype(np.int32)
    bare = made_catalogue(items, depth, codes, seed)
    return replace(bare, categories=CATEGORIES, category=category, brands=BRANDS, brand=brand)


def made_bundle(items: int = 20, depth: int = 3, codes: int = 4, seed: int = 0, version: str = "1.0.0") -> Bundle:
    """A bundle with random learned rows over a named catalogue."""
    rng, catalogue = np.random.default_rng(seed), named_catalogue(items, depth, codes, seed)
    trie = build(catalogue.sids)
    item_rows, code_rows, residual = (
        rng.normal(size=shape).astype(np.float32)
        for shape in ((items + 1, WIDTH), (depth, codes, WIDTH), (trie.nodes - 1, WIDTH))
    )
    tables = tables_of(item_rows, node_rows(trie, code_rows, residual), code_rows)
    return Bundle(Path("nowhere"), _manifest(items, depth, codes, version), catalogue, trie, tables)


def _manifest(items: int, depth: int, codes: int, version: str) -> Manifest:
    one = dict.fromkeys(Dims.model_fields, 1)
    return Manifest(
        name="made",
        version=version,
        contract_version=contract.CONTRACT_VERSION,
        setting="none",
        dims=Dims(**one),
        depth=depth,
        codebook=codes,
        items=items,
        parameters=1,
        prm="inner",
        scoring=Scoring(leaf=0.0, prefix=0.0),
        exact=True,
        provenance=Provenance(
            dataset="made",
            dataset_digest="",
            users=0,
            interactions=0,
            train_digest="",
            seed=0,
            epochs=0,
            recipe={},
        ),
        metrics={},
        files={contract.ENCODER.file: "00", contract.TABLES: "11"},
    )
