"""Products in 8-bit integers: what they compute, how near they come, and that rows are each other's strangers."""

from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn

from models.graphs import quantised
from models.graphs.builder import F32, Builder, Value
from models.graphs.ranges import STEPS, WEIGHT_STEPS, Range, Ranges, weights_of
from models.layers import Activation, FeedForward

WIDTH, HIDDEN = 24, 40
seeds = st.integers(0, 2**31)


def made(shape: tuple[int, ...], seed: int, size: float = 1.0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * size


def opened(write: Any) -> Any:
    """A session over the graph x [B,N,WIDTH] → y that `write(builder, x)` adds nodes to."""
    b = Builder()
    x: Value = b.input("x", F32, "B", "N", WIDTH)
    b.output("y", write(b, x), F32, 3)
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    return ort.InferenceSession(b.model("test").SerializeToString(), options, providers=["CPUExecutionProvider"])


def run(session: Any, x: Tensor) -> NDArray[np.float32]:
    (found,) = session.run(["y"], {"x": x.numpy()})
    return np.asarray(found)


@given(st.floats(-1e4, 1e4, width=32), st.floats(-1e4, 1e4, width=32), st.floats(0, 1))
def test_a_range_holds_zero_exactly_and_everything_else_to_half_a_step(a: float, b: float, where: float) -> None:
    low, high = min(a, b, 0.0), max(a, b, 0.0)
    scale, zero = Range(min(a, b), max(a, b)).affine()
    assert 0 <= int(zero) <= STEPS
    assert scale > 0
    value = low + where * (high - low)
    step = np.clip(np.rint(value / float(scale)) + int(zero), 0, STEPS)
    # The zero point is rounded too, so an end of the range may be cut by another half step.
    assert abs(float(scale) * (step - int(zero)) - value) <= 1.01 * float(scale)


@given(seeds, st.integers(1, 30), st.integers(1, 9))
def test_weights_are_kept_to_half_a_step_of_their_column(seed: int, inputs: int, outputs: int) -> None:
    weight = made((inputs, outputs), seed) * made((outputs,), seed + 1).exp()
    weight[:, 0] = 0.0
    integers, scale = weights_of(weight)
    assert integers.dtype == np.int8
    assert np.abs(integers).max() <= WEIGHT_STEPS
    assert (np.abs(integers * scale - weight.numpy()) <= 0.501 * scale).all()


def test_two_products_fit_sixteen_bits() -> None:
    assert 2 * STEPS * WEIGHT_STEPS < 2**15


@given(seeds, st.integers(1, 5), st.integers(1, 9), st.floats(0.1, 3))
def test_a_product_is_the_rounded_one(seed: int, batch: int, rows: int, size: float) -> None:
    weight, bias, x = made((WIDTH, 7), seed), made((7,), seed + 1), made((batch, rows, WIDTH), seed + 2, size)
    seen = Range(-2.0, 1.5)  # many values lie beyond, and are cut
    found = run(opened(lambda b, x: quantised.product(b, x, weight, bias, seen)), x)
    wanted = (quantised.rounded(x, weight, seen) + bias).numpy()
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("activation", ["gelu", "relu"])
def test_a_feed_forward_layer_comes_near_and_its_rows_are_strangers(activation: Activation) -> None:
    layer, x = FeedForward(WIDTH, HIDDEN, activation), made((3, 50, WIDTH), 1)
    ranges = seen_by(layer, x)
    session = opened(lambda b, x: quantised.feed_forward(b, x, layer, ranges))
    found = run(session, x)
    wanted = (layer(x) - layer.down.bias).detach().numpy()
    assert np.abs(found - wanted).mean() < 0.03 * np.abs(wanted).mean()
    assert np.abs(found - wanted).max() > 0  # it is not float32 after all
    for row, at in ((0, 0), (1, 17), (2, 49)):
        np.testing.assert_array_equal(run(session, x[row : row + 1, at : at + 1])[0, 0], found[row, at])


@torch.no_grad()
def seen_by(layer: FeedForward, x: Tensor) -> Ranges:
    """Ranges of this very input."""
    active = nn.functional.gelu if layer.activation == "gelu" else nn.functional.relu
    hidden = active(layer.up(x))
    parts: list[tuple[nn.Module, Tensor]] = [(layer.up, x), (layer.down, hidden)]
    return {linear: Range(float(given.min()), float(given.max())) for linear, given in parts}


def test_the_relu_is_what_the_range_cuts() -> None:
    layer, x = FeedForward(WIDTH, HIDDEN, "relu"), made((1, 20, WIDTH), 4)
    ranges = seen_by(layer, x)
    assert ranges[layer.down].low == 0
    found = run(opened(lambda b, x: quantised.feed_forward(b, x, layer, ranges)), x)
    up = quantised.rounded(x, layer.up.weight.T, ranges[layer.up]) + layer.up.bias
    wanted = quantised.rounded(up.relu(), layer.down.weight.T, ranges[layer.down]).detach().numpy()
    steps = ranges[layer.down].affine()[0] * np.abs(layer.down.weight.detach().numpy()).max()
    assert np.abs(found - wanted).max() <= 2 * steps  # a hidden value between two steps may fall either way
