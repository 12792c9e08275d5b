from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from models.results import Paths, Result, compare, load, save


def result(method: str = "guided", *, seed: int = 0, searched: bool = True) -> Result:
    rng = np.random.default_rng(seed)
    rank = rng.integers(0, 21, 30).astype(np.int32)
    paths = Paths(*(rng.random((30, 3)) < 0.5 for _ in range(3))) if searched else None
    ms = rng.random(4 if searched else 0).astype(np.float32)
    return Result(method, np.arange(1, 31, dtype=np.int32), rank, rank[::-1].copy(), 20, 20, 40, paths, ms)


def test_results_come_back_as_they_were_saved(tmp_path: Path) -> None:
    written = [result("a"), result("b", seed=1, searched=False), *(result(f"m{n}", seed=n) for n in range(10))]
    save(written, tmp_path / "new" / "ranks.npz")
    read = load(tmp_path / "new" / "ranks.npz")
    assert [r.method for r in read] == [w.method for w in written]
    for one, other in zip(written, read, strict=True):
        for field in (f.name for f in fields(Result) if f.name != "paths"):
            assert np.array_equal(getattr(one, field), getattr(other, field))
        assert (one.paths is None) == (other.paths is None)
        if one.paths and other.paths:
            assert all(np.array_equal(getattr(one.paths, f.name), getattr(other.paths, f.name)) for f in fields(Paths))


@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04 cut"])
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ranks.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"ranks\.npz: not a readable file"):
        load(path)


def test_a_truncated_or_foreign_file_and_a_missing_one_are_refused_by_name(tmp_path: Path) -> None:
    save([result()], tmp_path / "cut.npz")
    whole = (tmp_path / "cut.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    middle = whole.index(b"0.rank.npy") + 100
    (tmp_path / "flipped.npz").write_bytes(whole[:middle] + bytes([whole[middle] ^ 0xFF]) + whole[middle + 1 :])
    np.savez(tmp_path / "other.npz", rank=np.zeros(3))
    for name in ("cut.npz", "flipped.npz", "other.npz", "absent.npz"):
        with pytest.raises(ValueError, match=f"{name}: not a readable file"):
            load(tmp_path / name)


def test_a_cut_beyond_the_lists_is_not_a_figure() -> None:
    with pytest.raises(ValueError, match="listed 20 items"):
        result().recall(21)
    with pytest.raises(ValueError, match="unknown metric"):
        result().per_user("precision", 10)


def test_results_about_other_users_are_not_compared() -> None:
    other = result()
    shifted = Result(**{**vars(other), "target": other.target + 1})
    with pytest.raises(ValueError, match="same users"):
        compare(other, shifted)


def test_figures_per_depth_exist_only_for_a_search() -> None:
    scanned = result(searched=False)
    assert [scanned.hrecall(), scanned.rescue(), scanned.damage(), scanned.median_ms()] == [None] * 4
    searched = result()
    assert searched.paths is not None
    assert searched.hrecall() == pytest.approx(searched.paths.kept.mean(0))
    assert searched.median_ms() == pytest.approx(float(np.median(searched.ms)))
