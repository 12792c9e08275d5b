"""The written votes are PyTorch's, and a bundle gets them without any other file changing."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_voted import made_votes, quick, voted_bundle
from onnx import numpy_helper
from tiny import BUNDLE_ITEMS, DEPTH, PROVENANCE, SIZES, Bundles, made_listing

from models import contract, export
from models.graphs.votes import votes_graph
from models.manifest import Scoring, sha256
from models.parity import ParityError
from models.votes.adding import add_votes
from models.votes.bundled import check, write_votes
from service.engine.bundle import load

NODES = 30
VOTES = made_votes()


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> ort.InferenceSession:
    folder = tmp_path_factory.mktemp("votes")
    write_votes(folder, VOTES)
    return ort.InferenceSession(folder / contract.VOTES.file, providers=["CPUExecutionProvider"])


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 4), st.integers(1, 9), st.integers(0, DEPTH - 1), st.integers(0, 99))
def test_votes_and_interest_are_pytorchs(
    session: ort.InferenceSession, batch: int, count: int, level: int, seed: int
) -> None:
    random = torch.Generator().manual_seed(seed)
    rows, row = torch.randn(NODES, SIZES.width, generator=random).half(), torch.randperm(NODES, generator=random)
    context = torch.randn(batch, SIZES.width, generator=random)
    node = torch.randint(NODES, (batch, count), generator=random)
    feeds = {
        "node": node.int().numpy(),
        "rows": rows.numpy(),
        "row": row.int().numpy(),
        "prm_context": context[:, None].numpy(),
        "level": np.array(level),
    }
    votes, interest = session.run(contract.VOTES.outputs, feeds)
    assert votes.shape == (batch, count, VOTES.model.recipe.heads)
    for head in range(VOTES.model.recipe.heads + 1):
        said = VOTES.model.of_head(context, level, head).detach()
        wanted = (rows[row[node]].float() @ said[:, :, None]).squeeze(-1).numpy()
        found = interest if head == VOTES.model.recipe.heads else votes[..., head]
        np.testing.assert_allclose(found, wanted, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("choices", [{"heads": 1}, {"heads": 16, "rank": 16}, {"rank": 1}])
@pytest.mark.parametrize("depth", [1, 4])
def test_other_sizes_are_written_as_well(tmp_path: Path, choices: dict[str, int], depth: int) -> None:
    votes = made_votes(depth=depth, recipe=quick(**choices))
    write_votes(tmp_path, votes)
    assert (votes.shape().heads, len(votes.shape().temperature)) == (votes.model.recipe.heads, depth)


@pytest.mark.parametrize("number", [0, 1])
def test_a_changed_weight_is_noticed(tmp_path: Path, number: int) -> None:
    write_votes(tmp_path, VOTES)
    model = onnx.load(tmp_path / contract.VOTES.file)
    weights = [each for each in model.graph.initializer if each.data_type == onnx.TensorProto.FLOAT]
    changed = numpy_helper.to_array(weights[number]) * np.float32(1.5)
    weights[number].CopyFrom(numpy_helper.from_array(changed, weights[number].name))
    (tmp_path / contract.VOTES.file).write_bytes(model.SerializeToString())
    with pytest.raises(ParityError, match=r"^votes\.onnx: 'votes' differs"):
        check(tmp_path, VOTES.model, DEPTH - 1)


def test_writing_twice_gives_the_same_bytes() -> None:
    with torch.no_grad():
        one, two = (votes_graph(VOTES.model).SerializeToString() for _ in range(2))
    assert one == two


def test_a_bundle_gets_votes_and_no_other_file_changes(bundles: Bundles, tmp_path: Path) -> None:
    before, after = load(bundles.inner).manifest, load(voted_bundle(bundles.inner, tmp_path / "voted")).manifest
    assert after.votes == VOTES.shape()
    assert after.parameters == before.parameters + VOTES.parameters()
    assert after.version == "1.voted"
    assert after.files == before.files | {contract.VOTES.file: sha256(tmp_path / "voted" / contract.VOTES.file)}
    assert load(bundles.inner).manifest == before, "the one that was copied"
    other = made_votes(seed=1)
    again = add_votes(tmp_path / "voted", tmp_path / "again", other, "2")
    assert again.parameters == after.parameters, "other votes take the place of those it had"
    assert load(tmp_path / "again").manifest == again


def test_a_bundle_written_with_votes_loads(bundles: Bundles, tmp_path: Path) -> None:
    manifest = export.write_bundle(
        tmp_path / "bundle",
        bundles.network,
        "inner",
        made_listing(BUNDLE_ITEMS),
        PROVENANCE,
        name="tiny",
        version="2",
        setting="none",
        scoring=Scoring(leaf=0.0, prefix=0.0),
        metrics={},
        votes=VOTES,
    )
    assert load(tmp_path / "bundle").manifest == manifest
    assert manifest.votes == VOTES.shape()
    assert manifest.parameters == load(bundles.inner).manifest.parameters + VOTES.parameters()
