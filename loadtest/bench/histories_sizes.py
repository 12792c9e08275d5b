"""Encoders that the benchmark of long histories runs: their sizes, and where their graphs lie."""

from dataclasses import dataclass
from typing import Any

MODELS, ARRAYS = "models.json", "arrays.npz"
WHOLE, EXTEND, KEYS_VALUES = "encoder.onnx", "extend.onnx", "keys_values.onnx"
ITEMS, CODES, DEPTH = 12_101, 256, 3


@dataclass(frozen=True)
class Shape:
    """An encoder: D, layers, heads of a width, feed-forward and its activation."""

    width: int
    layers: int
    heads: int
    head_width: int
    feed_forward: int
    activation: str

    def recipe(self, limit: int) -> dict[str, Any]:
        """Fields of models.recipe.NetworkRecipe, for histories of at most `limit` items."""
        return {
            "width": self.width,
            "encoder_layers": self.layers,
            "heads": self.heads,
            "head_width": self.head_width,
            "feed_forward": self.feed_forward,
            "activation": self.activation,
            "history": limit,
            "dropout": 0.0,
        }

    def __str__(self) -> str:
        return f"D={self.width}, {self.layers} layers, {self.heads}×{self.head_width}, FF {self.feed_forward}"


SHAPES = {"tiger": Shape(128, 4, 6, 64, 1024, "relu"), "shipped": Shape(128, 2, 4, 32, 512, "gelu")}


def name_of(shape: str, limit: int) -> str:
    return f"{shape}-{limit}"


@dataclass(frozen=True)
class Plan:
    """History limits, events since the last visit, and the share of visits by users whose window is full."""

    limits: tuple[int, ...] = (50, 256, 1024)
    new: tuple[int, ...] = (1, 5)
    at_limit: float = 0.5
    rounds: int = 7
    shapes: tuple[str, ...] = tuple(SHAPES)
