"""A recipe: every choice that training makes, in one frozen tree that travels in checkpoints and manifests."""

from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

SidSource = Literal["text", "collaborative", "joined"]
PrmForm = Literal["inner", "cross"]
Precision = Literal["auto", "float32", "bfloat16"]


@dataclass(frozen=True)
class TokenizerRecipe:
    """Residual k-means: `depth` codebooks of `codebook` codes over `source` vectors of `dimensions` dimensions."""

    source: SidSource = "collaborative"
    depth: int = 3
    codebook: int = 256
    dimensions: int = 64
    window: int = 5
    text_weight: float = 0.5


@dataclass(frozen=True)
class NetworkRecipe:
    """Sizes of encoder, decoder and PRM. Widths are per token; `history` is the number of newest items read."""

    width: int = 128
    heads: int = 4
    head_width: int = 32
    encoder_layers: int = 2
    decoder_layers: int = 1
    feed_forward: int = 512
    history: int = 50
    dropout: float = 0.4
    item_rows: bool = True
    prm: tuple[PrmForm, ...] = ("inner",)
    cross_heads: int = 1


@dataclass(frozen=True)
class TrainingRecipe:
    """Optimisation. `negatives`, `cross_positions`: per depth and per step, for the cross-attention PRM only."""

    epochs: int = 30
    users: int = 256
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    warmup: float = 0.05
    clip: float = 1.0
    negatives: int = 64
    cross_positions: int = 128
    precision: Precision = "auto"
    validation_users: int = 4000
    validate_every: int = 2
    seed: int = 0


@dataclass(frozen=True)
class Recipe:
    """Everything that turns a dataset into a bundle."""

    name: str = "default"
    tokenizer: TokenizerRecipe = field(default_factory=TokenizerRecipe)
    network: NetworkRecipe = field(default_factory=NetworkRecipe)
    training: TrainingRecipe = field(default_factory=TrainingRecipe)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def with_training(self, **changes: Any) -> "Recipe":
        return replace(self, training=replace(self.training, **changes))

    def with_network(self, **changes: Any) -> "Recipe":
        return replace(self, network=replace(self.network, **changes))

    def with_tokenizer(self, **changes: Any) -> "Recipe":
        return replace(self, tokenizer=replace(self.tokenizer, **changes))
