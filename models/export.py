"""A trained network → a bundle: ONNX graphs, fp16 tables, catalogue and manifest, with parity checked on the way."""

import logging
import shutil
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models import contract
from models.contract import GraphSignature
from models.graphs import EncoderGraph, GeneratorGraph, PrmGraph, ScanGraph
from models.listing import Listing
from models.manifest import Dims, Manifest, Provenance, Scoring, sha256
from models.network import Promise
from models.parity import check_parity
from models.recipe import PrmForm

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
) -> Manifest:
    """Write `folder` whole or not at all: it is made beside and renamed once every file is there and hashed."""
    staging = folder.with_name(folder.name + ".partial")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    network = network.eval()
    for signature, graph, example, axes in graphs(network, form):
        export_graph(graph, signature, example, axes, staging / signature.file)
        check_parity(graph, signature, staging / signature.file, network)
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
        parameters=_parameters(network, form),
        prm=form,
        scoring=scoring,
        exact=form == "inner",
        provenance=provenance,
        metrics=metrics,
        files=files,
    )
    (staging / contract.MANIFEST).write_text(manifest.model_dump_json(indent=1) + "\n")
    shutil.rmtree(folder, ignore_errors=True)
    staging.rename(folder)
    return manifest


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


Graph = tuple[GraphSignature, nn.Module, tuple[Tensor, ...], tuple[dict[int, Any], ...]]


def graphs(network: Promise, form: PrmForm) -> Iterator[Graph]:
    """Signature, module, example inputs and dynamic axes of every graph this form exports."""
    depth, width = network.catalogue.depth, network.recipe.width
    memory, lengths = (
        torch.randn(2, min(5, network.recipe.history), width).half(),
        _ints([min(5, network.recipe.history), 2]),
    )
    node, prefix, log_prob = _zeros(2, 4), _zeros(2, 4, depth) - 1, torch.zeros(2, 4)
    nodes, level, k = 60, torch.tensor(0), torch.tensor(3)
    allowed = torch.ones(2, nodes, dtype=torch.bool)
    one, two = {0: torch.export.Dim.DYNAMIC}, {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    length = memory.shape[1]
    yield (
        contract.ENCODER,
        EncoderGraph(network),
        (_zeros(2, length, depth), _zeros(2, length), lengths, torch.randn(nodes, width)),
        (two, two, one, one),
    )
    yield (
        contract.GENERATOR,
        GeneratorGraph(network),
        (memory, lengths, node, prefix, log_prob, _zeros(nodes + 1), _zeros(nodes), allowed, level, torch.tensor(7), k),
        (two, one, two, two, two, one, one, two, {}, {}, {}),
    )
    yield (
        contract.PRM,
        PrmGraph(network, form),
        (memory, lengths, node, prefix, log_prob, torch.randn(nodes, width), level, k, torch.tensor(0.0)),
        (two, one, two, two, two, one, {}, {}, {}),
    )
    if form == "inner":
        leaf_rows = torch.randn(40, width)
        yield contract.SCAN, ScanGraph(network), (memory, lengths, leaf_rows, allowed, k), (two, one, one, two, {})


def _zeros(*shape: int) -> Tensor:
    return torch.zeros(*shape, dtype=torch.int32)


def _ints(values: Sequence[int]) -> Tensor:
    return torch.tensor(values, dtype=torch.int32)


def export_graph(
    graph: nn.Module,
    signature: GraphSignature,
    example: tuple[Tensor, ...],
    axes: tuple[dict[int, Any], ...],
    path: Path,
) -> None:
    """One graph to ONNX, weights inside, named as the contract names it."""
    with _quiet():
        program = torch.onnx.export(
            graph.eval(),
            example,
            dynamo=True,
            verbose=False,
            input_names=list(signature.inputs),
            output_names=list(signature.outputs),
            dynamic_shapes=axes,
        )
    if program is None:
        raise RuntimeError(f"{signature.file}: the exporter returned no program")
    _forget_sources(program.model)
    program.save(str(path), external_data=False)


def _forget_sources(model: Any) -> None:
    """The exporter writes stack traces beside every node: paths of this machine, and half of a small file."""
    for graph in (model.graph, *model.functions.values()):
        for node in graph.all_nodes():
            node.metadata_props.clear()


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter warns about operators of libraries that are not installed; none of them is ours."""
    level = logging.getLogger("torch.onnx").level
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.getLogger("torch.onnx").setLevel(level)


def amend(folder: Path, **changes: Any) -> Manifest:
    """Change manifest fields of a written bundle, such as its scoring rule or metrics, and write it back whole."""
    path = folder / contract.MANIFEST
    manifest = Manifest.model_validate(Manifest.model_validate_json(path.read_bytes()).model_dump() | changes)
    path.write_text(manifest.model_dump_json(indent=1) + "\n")
    return manifest
