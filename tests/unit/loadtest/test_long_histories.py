"""The benchmark of long histories: its sides do the same work, its window moves as it says, its verdict can be lost."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.bench import histories, histories_times
from loadtest.bench.histories import run_histories, verdict
from loadtest.bench.histories_sides import STEP, Encoder, pack, unpacked
from loadtest.bench.histories_sizes import ITEMS, Plan, Shape
from loadtest.bench.histories_window import begin, cycle, extended, visits
from loadtest.bench.venvs import BenchError
from loadtest.bench.workers import histories_export
from models.recipe import NetworkRecipe
from service.errors import CodecError

SMALL, LIMIT = Shape(16, 3, 2, 8, 32, "relu"), 2 * STEP
ALLOWED = 4 * 2.0**-11  # kept rows and memory are fp16

limits = st.integers(1, 300)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    folder = tmp_path_factory.mktemp("histories") / "small"
    histories_export.write(NetworkRecipe(**SMALL.recipe(LIMIT)), folder)
    return Encoder(folder, SMALL)


@pytest.fixture
def items() -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    return np.random.default_rng(0).integers(1, ITEMS + 1, STEP + 9).astype(np.int32)


@given(st.integers(0, 2000), limits, st.data())
def test_a_window_holds_the_newest_items_and_loses_less_than_a_block(
    length: int, limit: int, data: st.DataObject
) -> None:
    block = data.draw(st.integers(1, limit))
    held = length - begin(length, limit, block)
    assert held <= limit
    assert held == length if length <= limit else held > limit - block


@given(limits, st.lists(st.integers(1, 7), min_size=2, max_size=60), st.data())
def test_what_is_extended_began_at_the_same_item(limit: int, steps: list[int], data: st.DataObject) -> None:
    block, lengths = data.draw(st.integers(1, limit)), np.cumsum(steps).tolist()
    before = lengths[0]
    for length, visit in zip(lengths[1:], visits(iter(lengths), limit, block), strict=True):
        stays = begin(before, limit, block) == begin(length, limit, block)
        assert (visit.begin, visit.end) == (begin(length, limit, block), length)
        assert visit.new == (length - before if stays else None)
        before = length


@given(limits, st.data())
def test_a_full_window_is_encoded_anew_once_a_block(limit: int, data: st.DataObject) -> None:
    block = data.draw(st.integers(1, limit))
    assert sum(visit.new is None for visit in cycle(limit, block)) == 1
    assert extended(limit, block) == pytest.approx(1 - 1 / block)
    assert extended(limit, 1) == 0


def test_every_way_gives_the_same_memory(encoder: Encoder, items: np.ndarray[tuple[int], np.dtype[np.int32]]) -> None:
    whole = encoder.whole(items)
    for new in (1, 5):
        states = encoder.extend(encoder.unpack(pack(encoder.in_steps(items[:-new]))), items[-new:])
        packed = encoder.pack_pasts(*encoder.append(*encoder.no_pasts(), items[:-new]))
        pasts, memory = encoder.append(*encoder.unpack_pasts(packed), items[-new:])
        assert pasts.shape == (2 * SMALL.layers, SMALL.heads, len(items), SMALL.head_width)
        for made in (states[-1], encoder.in_steps(items)[-1], memory):
            np.testing.assert_allclose(made.astype(np.float32), whole.astype(np.float32), rtol=ALLOWED, atol=ALLOWED)
    assert not np.allclose(whole, encoder.whole(items[::-1].copy()), atol=10 * ALLOWED)


def test_a_walk_ends_with_what_its_last_window_is(encoder: Encoder) -> None:
    limit, block = 12, 3
    history = np.arange(1, limit + block + 1, dtype=np.int32)
    packed = histories_times.walk(encoder, history, limit, block, pack(encoder.in_steps(history[:limit])))
    whole = encoder.whole(history[block:])
    np.testing.assert_allclose(
        encoder.unpack(packed)[-1].astype(np.float32), whole.astype(np.float32), rtol=ALLOWED, atol=ALLOWED
    )
    with pytest.raises(CodecError):
        unpacked(packed[:-2])


def found(limit: int, ratio: float, of_steps: float) -> dict[str, object]:
    return {
        "limit": limit,
        "ratio": {"states, 1 new": {"median": ratio}},
        "ratio_of_steps": {"states, 1 new": {"median": of_steps}},
    }


@pytest.mark.parametrize(
    ("encoders", "smallest", "worth"),
    [
        ([found(50, 1.1, 1.1), found(256, 9.0, 7.0), found(1024, 90.0, 60.0)], 7.0, True),
        ([found(256, 9.0, 1.9)], 1.9, False),
        ([found(256, 2.0, 2.0)], 2.0, True),
        ([found(256, 1.5, 4.0), found(1024, 90.0, 60.0)], 1.5, False),
        ([found(50, 5.0, 5.0)], None, False),
    ],
)
def test_the_extension_must_win_everywhere(
    encoders: list[dict[str, object]], smallest: float | None, worth: bool
) -> None:
    seen = verdict({str(number): one for number, one in enumerate(encoders)}, Plan(new=(1,)))
    assert seen == {"smallest_ratio": smallest, "worth_it": worth}


@pytest.mark.parametrize(
    "changes",
    [
        {"rounds": 4},
        {"new": ()},
        {"new": (0,)},
        {"limits": ()},
        {"limits": (5, 50)},
        {"at_limit": 1.5},
        {"shapes": ("huge",)},
        {"shapes": ()},
    ],
)
def test_a_plan_that_cannot_be_measured_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(BenchError):
        run_histories(replace(Plan(), **changes))  # type: ignore[arg-type]  # what the test is about


def test_lists_of_numbers_are_read() -> None:
    assert histories.numbers("50, 256") == (50, 256)
    for text in ("", "a", "1,,2", "1.5"):
        with pytest.raises(BenchError, match="not a list of numbers"):
            histories.numbers(text)


def test_a_core_that_is_not_ours_is_refused() -> None:
    with pytest.raises(BenchError, match="not among the cores"):
        run_histories(core=100_000)


def test_a_run_says_what_it_found(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(histories_times, "ROUND_S", 0.002)
    monkeypatch.setattr(histories, "SHAPES", {"small": SMALL})
    result = run_histories(Plan(limits=(16,), shapes=("small",), rounds=5), json_output=True)
    out, err = capsys.readouterr()
    one = json.loads(out)["encoders"]["small-16"]
    assert one == result["encoders"]["small-16"]
    rows, header = 16 * SMALL.width * 2, len(pack(np.zeros((0, 1), np.float16)))
    assert one["bytes"] == {
        "memory": header + rows,
        "states": header + (SMALL.layers + 1) * rows,
        "keys and values": header + (2 * SMALL.layers + 1) * rows,  # here H * X = D
    }
    assert all(times["min"] <= times["median"] <= times["max"] for times in one["ms"].values())
    assert 0 < one["difference"] <= ALLOWED
    assert "states, 5 new" in err
    assert "from 256 items on" not in err
