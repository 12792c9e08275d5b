"""The formulas of work and parameters against what the exported graphs do and the network holds."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from counted import Counter, opened, work
from made_corrected import made_correction
from numpy.typing import NDArray
from tiny import BUNDLE_ITEMS, SIZES, export_bundle, made_network

from models.graphs.correction import correction_graph
from models.graphs.votes import votes_graph
from models.manifest import Dims
from models.recipe import VotesRecipe
from models.scaling import flops
from models.votes.network import Votes
from service.engine.bundle import load

LONG = 60  # items: folding keys and values would cost more than it saves at these widths
ALL = (0, 1, 2)


def made(folder: Path, **sizes: object) -> tuple[Counter, flops.Sizes]:
    network = made_network(90, loud=True, sizes=replace(SIZES, **sizes))  # type: ignore[arg-type]  # sizes by name
    export_bundle(network, "inner", folder / "bundle")
    counter = Counter(load(folder / "bundle"))
    found = flops.Sizes.of(counter.bundle.manifest, *opened(counter))
    return counter, replace(found, context_layers=network.recipe.context_layers)


@pytest.mark.parametrize(
    "network",
    [
        pytest.param({}, id="folded"),
        pytest.param({"history": LONG}, id="not folded"),
        pytest.param({"encoder_layers": 3, "decoder_layers": 2, "head_width": 4}, id="more layers"),
        pytest.param({"context_layers": 2, "feed_forward": 24}, id="2 context layers"),
    ],
)
def test_work_is_what_the_graphs_do(tmp_path: Path, network: dict[str, int]) -> None:
    counter, sizes = made(tmp_path, **network)
    history = 7
    levels = ((4, 5), (6, 20), (5, 12))
    work = flops.search(sizes, levels, ALL, history)
    expands = sum(counter.generator(level, beams, history) for level, beams in ((1, 4), (2, 6)))
    assert work.encoder == pytest.approx(counter.encoder(history), rel=0.02)
    assert work.total == pytest.approx(
        counter.encoder(history) + counter.context(history) + expands + counter.prm(20) + counter.prm(12), rel=0.02
    )
    assert flops.scan(sizes, history).total == pytest.approx(counter.encoder(history) + counter.scan(history), rel=0.02)


def test_a_plain_beam_pays_for_no_prm_and_the_prm_at_some_depths_for_those(tmp_path: Path) -> None:
    _, sizes = made(tmp_path)
    levels = ((4, 5), (6, 20), (5, 12))
    plain, leaf, every = (flops.search(sizes, levels, depths, 7) for depths in ((), (2,), ALL))
    assert plain.prm == 0 < leaf.prm < every.prm
    assert every.prm - leaf.prm == 2 * 20 * sizes.dims.width
    assert flops.search(sizes, levels, ALL, 7, extra=1000).total == every.total + 1000


def test_widths_beyond_the_trie_cost_nothing_more(tmp_path: Path) -> None:
    _, sizes = made(tmp_path)
    most = sizes.branching[0]
    full, more = ([(2, width), (2, 4), (2, 4)] for width in (most, most + 50))
    assert flops.search(sizes, full, ALL, 7) == flops.search(sizes, more, ALL, 7)


@pytest.mark.parametrize("history", [1, 3, 9])
def test_a_correction_is_what_its_graph_does(history: int) -> None:
    corrected = made_correction(BUNDLE_ITEMS)
    relations, recipe = corrected.relations, corrected.model.recipe
    profile = relations.profiles.shape[1]
    rescoring = flops.Rescoring(5, recipe.newest, relations.groups, profile, recipe.width, recipe.heads)
    length = min(history, recipe.newest)
    rows = np.arange(1, 6, dtype=np.int32)[None]
    feeds: dict[str, NDArray[Any]] = {
        "node": rows,
        "log_prob": np.zeros((1, 5), np.float32),
        "reward": -rows.astype(np.float32),
        "chosen": rows.astype(np.int64),
        "place": np.log(rows.astype(np.float32)),
        "age": np.arange(length, dtype=np.int32),
        "history": np.arange(1, length + 1, dtype=np.int32)[None],
        "item": np.arange(BUNDLE_ITEMS + 1, dtype=np.int32),
        "k_keep": np.array([3]),
        **relations.arrays(),
    }
    assert rescoring.work(history) == pytest.approx(
        work(correction_graph(corrected.model, relations.groups), feeds), rel=0.02
    )


@pytest.mark.parametrize("children", [1, 12])
def test_votes_are_what_their_graph_does(children: int) -> None:
    width, recipe = 16, VotesRecipe(heads=4, rank=3)
    rows = np.zeros((20, width), np.float16)
    feeds: dict[str, NDArray[Any]] = {
        "node": np.ones((1, children), np.int32),
        "rows": rows,
        "row": np.arange(20, dtype=np.int32),
        "prm_context": np.zeros((1, 1, width), np.float32),
        "level": np.array(1),
    }
    assert flops.Heads(4, 3).work(width, 1, children) == work(votes_graph(Votes(3, width, recipe)), feeds)


def test_parameters_are_those_of_the_network() -> None:
    for changes in ({}, {"decoder_layers": 2, "context_layers": 2, "history": LONG}):
        network = made_network(90, text=False, sizes=replace(SIZES, **changes))  # type: ignore[arg-type]  # sizes by name
        prm = sum(p.numel() for name, p in network.named_parameters() if name.startswith(("inner.", "prefix_rows.")))
        rest = sum(p.numel() for name, p in network.named_parameters()) - prm
        prefixes = tuple(network.catalogue.counts)
        recipe = network.recipe
        dims = Dims(**{name: getattr(recipe, name) for name in Dims.model_fields})
        sizes = flops.Sizes(dims, 6, 90, prefixes, (6, 6, 6), recipe.context_layers)
        assert flops.parameters(sizes) == flops.Parameters(rest, prm)
