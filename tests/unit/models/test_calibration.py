"""Ranges of activations: they hold what the maps are given, and narrower ones leave out the tails only."""

from dataclasses import replace

import pytest
import torch
from tiny import SIZES, made_network, made_sequences
from torch import Tensor, nn

from models.calibration import calibrate, maps_of
from models.graphs.ranges import Range
from models.layers import FeedForward
from models.network import Promise

ITEMS = 40
SEQUENCES = made_sequences(30, ITEMS)


@pytest.fixture(scope="module")
def network() -> Promise:
    return made_network(ITEMS, loud=True)


def layers(owner: nn.Module) -> list[FeedForward]:
    return [part for part in owner.modules() if isinstance(part, FeedForward)]


def given_to(network: Promise, linear: nn.Module, histories: list[list[int]]) -> tuple[float, float]:
    """Lowest and highest input of a map while these histories are encoded."""
    seen = list[Tensor]()
    handle = linear.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    for history in histories:
        network.encode(torch.tensor([history]), network.features.rows(network.catalogue))
    handle.remove()
    values = torch.cat([x.flatten() for x in seen]).detach()
    return float(values.min()), float(values.max())


def test_the_maps_are_those_of_encoder_and_decoder(network: Promise) -> None:
    blocks = network.recipe.encoder_layers + network.recipe.decoder_layers
    maps = maps_of(network)
    assert len(maps) == len(set(maps)) == 5 * blocks  # query, keys and values, out, up, down
    assert all(layer.up in maps for part in (network.encoder, network.decoder) for layer in layers(part))
    assert network.inner is not None
    assert not any(layer.up in maps for layer in layers(network.inner))


def test_a_range_holds_all_that_the_calibration_saw(network: Promise) -> None:
    ranges = calibrate(network, maps_of(network), SEQUENCES)
    histories = [sequence[-network.recipe.history - 1 : -1].tolist() for sequence in SEQUENCES]
    for layer in layers(network.encoder):
        low, high = given_to(network, layer.up, histories)
        assert ranges[layer.up].low == pytest.approx(low, rel=1e-5)
        assert ranges[layer.up].high == pytest.approx(high, rel=1e-5)


def test_a_smaller_share_leaves_out_both_tails(network: Promise) -> None:
    whole, most, half = (calibrate(network, maps_of(network), SEQUENCES, share) for share in (1.0, 0.999, 0.5))
    for linear in maps_of(network):
        assert whole[linear].low <= most[linear].low < half[linear].low
        assert whole[linear].high >= most[linear].high > half[linear].high


def test_the_same_seed_gives_the_same_ranges_and_nothing_stays_behind(network: Promise) -> None:
    one, same = (calibrate(network, maps_of(network), SEQUENCES, 0.99, seed=3) for _ in range(2))
    assert one == same
    assert not any(linear._forward_pre_hooks for linear in maps_of(network))
    with pytest.raises(IndexError):
        calibrate(network, maps_of(network), [SEQUENCES[0] * 1000])
    assert not any(linear._forward_pre_hooks for linear in maps_of(network))


def test_a_relu_layer_hands_down_nothing_below_zero() -> None:
    network = made_network(ITEMS, sizes=replace(SIZES, activation="relu"))
    ranges = calibrate(network, maps_of(network), SEQUENCES)
    assert all(ranges[layer.down].low == 0 for layer in layers(network.decoder))
    assert all(isinstance(found, Range) and found.high > 0 for found in ranges.values())
