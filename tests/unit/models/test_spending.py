"""Measured tiers: costs by hand, kept and read back, and files that are something else."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from made_spending import TIERS, made_spending, made_times

from models.results import ResultsError
from models.spending import digest, load, save


def test_costs_are_of_whole_requests() -> None:
    times = made_times()
    assert times.auto.tolist() == [3, 4, 6, 12]
    assert times.fixed.tolist() == [2.5, 3.5, 5.5, 11.5]
    assert times.search.tolist() == [2, 3, 5, 11]
    assert times.scan == 2


def test_what_is_kept_comes_back(tmp_path: Path) -> None:
    made = made_spending(50, known=False)
    save(made, tmp_path / "deep" / "kept.npz")
    found = load(tmp_path / "deep" / "kept.npz")
    for field in fields(made):
        if field.name == "times":
            continue
        one, other = getattr(made, field.name), getattr(found, field.name)
        assert type(one) is type(other)
        np.testing.assert_array_equal(one, other)
    assert found.times.auto.tolist() == made.times.auto.tolist()
    assert found.ndcg().shape == (50, len(TIERS))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive", None])
def test_another_file_is_refused_in_one_sentence(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "other.npz"
    if content is None:
        np.savez(path, header=np.frombuffer(b'{"format": "promise-results-1"}', np.uint8))
    else:
        path.write_bytes(content)
    with pytest.raises(ResultsError, match="not a readable file"):
        load(path)
    with pytest.raises(ResultsError, match="not a readable file"):
        load(tmp_path / "missing.npz")


def test_a_digest_tells_semantic_ids_apart_whatever_their_type() -> None:
    sids = np.array([[1, 2], [3, 4]])
    assert digest(sids.astype(np.uint16)) == digest(sids.astype(np.int32))
    assert digest(sids) != digest(sids[::-1])
