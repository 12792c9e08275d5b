"""The graph that encodes a history's newest items over what was kept of the others: equal to encoding it whole."""

from dataclasses import replace
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import torch
from numpy.typing import NDArray
from tiny import CODES, SIZES, made_sids

from models import contract, reference
from models.graphs.encoder import encoder_graph
from models.graphs.extend import extend_graph
from models.network import Promise

F16 = NDArray[np.float16]
LIMIT, ITEMS = 256, 60
# Half a unit in the last place of fp16 in the memory on both sides, and as much again from rows that were kept in it.
ALLOWED = 4 * 2.0**-11


def opened(model: Any) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


class Encoder:
    """Random weights, both graphs; `activation` and sizes as in the recipe."""

    def __init__(self, **changes: Any) -> None:
        torch.manual_seed(0)
        recipe = replace(SIZES, history=LIMIT, dropout=0.0, **changes)
        self.network = Promise(made_sids(ITEMS), CODES, None, recipe).eval()
        with torch.no_grad():
            for weights in self.network.parameters():
                weights.add_(torch.randn_like(weights) * 0.2)
            self.whole, self.more = opened(encoder_graph(self.network)), opened(extend_graph(self.network))
            self.rows = self.network.features.rows(self.network.catalogue).half().numpy()
        self.layers, self.width = recipe.encoder_layers, recipe.width

    def feeds(self, items: NDArray[np.int32]) -> dict[str, NDArray[Any]]:
        codes = self.network.catalogue.sids.numpy()[items].astype(np.int32)
        return {"codes": codes, "items": items, "item_rows": self.rows}

    def encode(self, items: NDArray[np.int32]) -> F16:
        memory: F16 = self.whole.run(None, self.feeds(items))[0]
        return memory

    def torch(self, items: NDArray[np.int32]) -> F16:
        feeds = {name: torch.from_numpy(values) for name, values in self.feeds(items).items()}
        with torch.no_grad():
            memory: F16 = reference.encode(self.network, **feeds).numpy()
        return memory

    def extend(self, states: F16, items: NDArray[np.int32]) -> F16:
        """States [B,L+1,T0,D] and new items [B,N] → states of all [B,L+1,T0+N,D]."""
        names = contract.reads(self.layers)
        before = {name: np.ascontiguousarray(states[:, at]) for at, name in enumerate(names)}
        made = self.more.run(None, self.feeds(items) | before)[0]
        made = made.reshape(len(items), self.layers + 1, items.shape[1], self.width)
        return np.concatenate([states, made], axis=2)

    def nothing(self, batch: int = 1) -> F16:
        return np.zeros((batch, self.layers + 1, 0, self.width), np.float16)

    def in_steps(self, items: NDArray[np.int32], *steps: int) -> F16:
        assert sum(steps) == items.shape[1]
        states = self.nothing(len(items))
        for part in np.split(items, np.cumsum(steps)[:-1], axis=1):
            states = self.extend(states, part)
        return states


def difference(one: F16, other: F16) -> float:
    """Relative to max(1, |value|)."""
    a, b = one.astype(np.float64), other.astype(np.float64)
    assert a.shape == b.shape
    return float((np.abs(a - b) / np.maximum(1, np.abs(b))).max())


def histories(length: int, batch: int = 1, seed: int = 0) -> NDArray[np.int32]:
    return np.random.default_rng(seed).integers(0, ITEMS + 1, (batch, length)).astype(np.int32)


@pytest.fixture(scope="module", params=[{}, {"activation": "relu", "encoder_layers": 3, "heads": 3}])
def encoder(request: pytest.FixtureRequest) -> Encoder:
    return Encoder(**request.param)


@pytest.mark.parametrize("new", [1, 2, 5])
@pytest.mark.parametrize("length", [5, 50, 256])
def test_an_extended_encoding_is_the_whole_one(encoder: Encoder, length: int, new: int) -> None:
    items = histories(length, batch=2, seed=length + new)
    memory = encoder.in_steps(items, *([length - new] if length > new else []), new)[:, -1]
    assert difference(memory, encoder.torch(items)) <= ALLOWED
    assert difference(memory, encoder.encode(items)) <= ALLOWED


def test_steps_of_any_size_lead_to_the_same_states(encoder: Encoder) -> None:
    items = histories(40)
    at_once = encoder.in_steps(items, 40)
    for steps in ([1] * 40, [16, 16, 8], [39, 1], [3, 5, 32]):
        assert difference(encoder.in_steps(items, *steps), at_once) <= ALLOWED


def test_what_was_kept_does_not_change_and_later_items_are_not_seen(encoder: Encoder) -> None:
    items = histories(20)
    kept = encoder.in_steps(items[:, :15], 15)
    extended = encoder.extend(kept, items[:, 15:])
    assert np.array_equal(extended[:, :, :15], kept)
    items[0, 19] = 1 + items[0, 19] % ITEMS
    changed = encoder.extend(kept, items[:, 15:])
    assert np.array_equal(changed[:, :, :19], extended[:, :, :19])
    assert difference(changed[:, -1, 19:], extended[:, -1, 19:]) > 100 * ALLOWED


def test_new_items_see_the_old_ones_and_their_place(encoder: Encoder) -> None:
    items = histories(12)
    right = encoder.in_steps(items, 11, 1)[:, -1, -1:]
    items[0, 0] = 1 + items[0, 0] % ITEMS
    assert difference(encoder.in_steps(items, 11, 1)[:, -1, -1:], right) > ALLOWED
    moved = encoder.in_steps(histories(12)[:, 1:], 10, 1)[:, -1, -1:]
    assert difference(moved, right) > 10 * ALLOWED


def test_states_of_a_window_that_slid_are_not_those_of_the_new_window(encoder: Encoder) -> None:
    items = histories(30)
    slid = encoder.in_steps(items[:, :29], 29)[:, :, 1:]
    wrong = encoder.extend(slid, items[:, 29:])[:, -1, -1:]
    assert difference(wrong, encoder.encode(items[:, 1:])[:, -1:]) > 10 * ALLOWED


@pytest.mark.parametrize("new", [1, 2])
def test_beyond_the_limit_there_are_no_positions(encoder: Encoder, new: int) -> None:
    states = encoder.in_steps(histories(LIMIT), LIMIT)
    with pytest.raises(Exception, match=r"(?i)broadcast|dimension|reshape"):
        encoder.extend(states, histories(new))


def test_the_graph_is_small(encoder: Encoder) -> None:
    nodes = len(extend_graph(encoder.network).graph.node)
    assert nodes <= 24 + 19 * encoder.layers
