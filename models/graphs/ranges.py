"""How numbers become 8-bit integers: the ranges of activations, and the columns of weights."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

STEPS = 255  # of an activation, uint8
# Of a weight on either side of zero: two products of 255 * 63 fit 16 bits, in which older x86 CPUs add them and would
# saturate. So every CPU gives the same integers.
WEIGHT_STEPS = 63

NARROWEST = 1e-30  # step of a range that holds nothing but zero


@dataclass(frozen=True)
class Range:
    """What the inputs of a product were seen to be; values beyond are cut to it."""

    low: float
    high: float

    def affine(self) -> tuple[np.float32, np.uint8]:
        """Scale and zero point: a real number is scale * (integer - zero point), and 0.0 is one of the integers."""
        low, high = min(self.low, 0.0), max(self.high, 0.0)
        scale = np.float32(max((high - low) / STEPS, NARROWEST))
        return scale, np.uint8(np.clip(np.rint(-low / scale), 0, STEPS))


Ranges = Mapping[nn.Module, Range]  # by the linear map whose input it is


def weights_of(weight: Tensor) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """int8 [K,N] and the scale f32 [N] of every column of a weight [K,N]."""
    values = weight.detach().double().numpy()
    widest = np.abs(values).max(axis=0)
    scale = np.where(widest > 0, widest / WEIGHT_STEPS, 1.0).astype(np.float32)
    return np.rint(values / scale).astype(np.int8), scale
