"""A trained network → a bundle: ONNX graphs, fp16 tables, catalogue and manifest, with parity checked on the way."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from models import contract
from models.correction.bundled import Corrected, write_correction
from models.graphs.context import context_graph
from models.graphs.encoder import encoder_graph
from models.graphs.extend import extend_graph
from models.graphs.generator import generator_graph
from models.graphs.prm import prm_graph, scan_graph
from models.graphs.ranges import Ranges
from models.listing import Listing
from models.manifest import Dims, Manifest, Provenance, Scoring, sha256
from models.network import Promise
from models.parity import check_parity
from models.recipe import PrmForm
from models.staging import replaced, staged
from models.votes.bundled import Calibrated, write_votes

F16 = NDArray[np.float16]


def write_bundle(
    folder: Path,
    network: Promise,
    form: PrmForm,
    listing: Listing,
    provenance: Provenance,
    *,
    name: str,
    version: str,
    setting: str,
    scoring: Scoring,
    metrics: dict[str, float],
    ranges: Ranges | None = None,
    corrected: Corrected | None = None,
    votes: Calibrated | None = None,
) -> Manifest:
    """Write `folder` whole or not at all: it takes its place once every file is there and hashed.

    With `ranges` (models.integers) the products they cover are made in 8-bit integers, once parity holds without.
    With `corrected` the bundle ranks its best leaves anew; with `votes` it has bootstrap heads.
    """
    with staged(folder) as staging:
        network = network.eval()
        for file, model in graphs(network, form):
            (staging / file).write_bytes(model.SerializeToString())
        check_parity(staging, network, form)
        if ranges:
            (staging / contract.EXTEND.file).unlink(missing_ok=True)
        for file, model in graphs(network, form, ranges) if ranges else ():
            (staging / file).write_bytes(model.SerializeToString())
        if corrected:
            write_correction(staging, corrected)
        if votes:
            write_votes(staging, votes)
        np.savez(staging / contract.TABLES, allow_pickle=False, **tables(network, form))
        write_catalogue(staging / contract.CATALOGUE, network, listing)
        files = {path.name: sha256(path) for path in sorted(staging.iterdir())}
        manifest = Manifest(
            name=name,
            version=version,
            contract_version=contract.CONTRACT_VERSION,
            setting=setting,  # type: ignore[arg-type]  # pydantic checks it
            dims=_dims(network),
            depth=network.catalogue.depth,
            codebook=network.catalogue.codebook,
            items=network.catalogue.items,
            parameters=_parameters(network, form) + sum(each.parameters() for each in (corrected, votes) if each),
            prm=form,
            scoring=scoring,
            exact=form == "inner",
            correction=corrected.shape() if corrected else None,
            votes=votes.shape() if votes else None,
            precision="int8" if ranges else "float32",
            provenance=provenance,
            metrics=metrics,
            files=files,
        )
        (staging / contract.MANIFEST).write_text(manifest.model_dump_json(indent=1) + "\n")
    return manifest


@torch.no_grad()
def graphs(network: Promise, form: PrmForm, ranges: Ranges | None = None) -> Iterator[tuple[str, onnx.ModelProto]]:
    """File and graph of everything this form of the PRM needs."""
    yield contract.ENCODER.file, encoder_graph(network, ranges)
    if network.recipe.history >= contract.LONG and ranges is None:  # else integers would go on in float32
        yield contract.EXTEND.file, extend_graph(network)
    yield contract.CONTEXT.file, context_graph(network, form, ranges)
    for level in range(1, network.catalogue.depth):
        yield (
            contract.generator(len(network.decoder.blocks), level).file,
            generator_graph(network, level, ranges=ranges),
        )
    yield contract.PRM.file, prm_graph(network, form)
    if form == "inner":
        yield contract.SCAN.file, scan_graph(network)


def _parameters(network: Promise, form: PrmForm) -> int:
    """Of the generator and the PRM form that is exported."""
    other = {"inner": ("cross.", "prefix_rows.cross."), "cross": ("inner.", "prefix_rows.inner.")}[form]
    return sum(p.numel() for name, p in network.named_parameters() if not name.startswith(other))


def _dims(network: Promise) -> Dims:
    names = Dims.model_fields
    return Dims(**{name: getattr(network.recipe, name) for name in names})


@torch.no_grad()
def tables(network: Promise, form: PrmForm) -> dict[str, F16]:
    """models.contract.TABLE_NAMES: residual rows, so that code sums + residual are the trained rows to fp16."""
    catalogue, width = network.catalogue, network.recipe.width
    item_rows = network.features.rows(catalogue)
    code_rows = network.features.codes.view(catalogue.depth, catalogue.codebook, width).half()
    leaves_too = len(network.prefix_rows[form].learned) == catalogue.depth  # type: ignore[arg-type]  # ParameterList
    residual = []
    for b in range(catalogue.depth if leaves_too else catalogue.depth - 1):
        codes = catalogue.prefix_codes(b)
        shared = sum((code_rows[j, codes[:, j]].float() for j in range(b + 1)), torch.zeros(()))
        residual.append(network.rows(b, item_rows, form) - shared)
    names = contract.TABLE_NAMES
    arrays = {
        names.item_rows: item_rows,
        names.code_rows: code_rows,
        names.prefix_rows: torch.cat([item_rows[:0], *residual]),
    }
    return {key: value.half().numpy() for key, value in arrays.items()}


def write_catalogue(path: Path, network: Promise, listing: Listing) -> None:
    """catalogue.npz: unicode ids, codes, popularity, category and brand as codes into name lists, sample histories."""
    rows = {item: row for row, item in enumerate(listing.ids, start=1)}
    categories, category = np.unique(np.array(listing.category, np.str_), return_inverse=True)
    brands, brand = np.unique(np.array(listing.brand, np.str_), return_inverse=True)
    samples = [np.array([rows[item] for item in sample], np.int32) for sample in listing.samples]
    np.savez_compressed(
        path,
        ids=np.array(listing.ids, np.str_),
        sids=network.catalogue.sids[1:].numpy().astype(np.uint16),
        popularity=listing.popularity.astype(np.int32),
        categories=categories,
        category=category.astype(np.int32),
        brands=brands,
        brand=brand.astype(np.int32),
        sample_items=np.concatenate(samples) if samples else np.zeros(0, np.int32),
        sample_lengths=np.array([len(s) for s in samples], np.int32),
    )


def amend(folder: Path, **changes: Any) -> Manifest:
    """Change manifest fields of a written bundle, such as its scoring rule or metrics, and write it back whole."""
    path = folder / contract.MANIFEST
    manifest = Manifest.model_validate(Manifest.model_validate_json(path.read_bytes()).model_dump() | changes)
    with replaced(path) as partial:
        partial.write_text(manifest.model_dump_json(indent=1) + "\n")
    return manifest
