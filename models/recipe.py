"""A recipe: every choice that training makes, in one frozen tree that travels in checkpoints and manifests."""

from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, get_args

SidSource = Literal["auto", "text", "collaborative", "joined"]
PrmForm = Literal["inner", "cross"]
Precision = Literal["auto", "float32", "bfloat16"]
PrmLoss = Literal["softmax", "uniform", "generator", "listwise"]
Stages = Literal["joint", "two"]
Labels = Literal["prefix", "progress"]
Graded = Literal["next", "similar"]
Credit = Literal["value", "reward"]
Labelled = Literal["all", "agreed", "matched"]


class RecipeError(ValueError):
    """A recipe or one of its choices does not exist; the sentence lists what does."""


@dataclass(frozen=True)
class TokenizerRecipe:
    """Residual k-means: `depth` codebooks of `codebook` codes over `source` vectors; auto = text where there is any.

    `dimensions`, `window`: of the collaborative vectors; `text_weight`: share of the text in joined ones; `balanced`:
    clusters of a depth hold about equally many items.
    """

    source: SidSource = "auto"
    depth: int = 3
    codebook: int = 256
    dimensions: int = 64
    window: int = 5
    text_weight: float = 0.5
    balanced: bool = False


@dataclass(frozen=True)
class NetworkRecipe:
    """Sizes of encoder, decoder and PRM. Widths are per token; `history` is the number of newest items read.

    A depth with more than `row_limit` valid prefixes learns no rows of its own (0 = every depth does).
    """

    width: int = 128
    heads: int = 4
    head_width: int = 32
    encoder_layers: int = 2
    decoder_layers: int = 1
    feed_forward: int = 512
    history: int = 50
    dropout: float = 0.4
    item_rows: bool = True
    row_limit: int = 0
    prm: tuple[PrmForm, ...] = ("inner",)
    context_layers: int = 1
    cross_heads: int = 1
    activation: Literal["gelu", "relu"] = "gelu"


@dataclass(frozen=True)
class TrainingRecipe:
    """Optimisation. `negatives` a position and `cross_positions` a step: of the cross-attention PRM, and of the inner
    one against what the generator proposes; `cross_epochs`: of the cross-attention PRM.

    `sampled`: a depth with more valid prefixes than this has its softmax estimated from so many a step (0 = never).
    An epoch takes one of `shards` equal parts of the users in turn. `guided`: positions a step at which the generator
    learns the inner PRM's ranking of children.

    `prm_loss`: what the inner PRM learns from: the full softmax, InfoNCE against `negatives` uniform or generator-drawn
    prefixes, or whole lists as the beam leaves them (LIRE). `positives`: next items that count as right, discounted.
    `labels`: progress = prefixes that keep the progress above `epsilon` (models.labels), of `positives` next items or
    of the target and its `alike` nearest by text (`graded`), each worth its value or its rewards (`credit`).
    `labelled`: which positions the PRM of the second stage learns from (models.consensus); `label_limit`: how many.
    `stages`: two = the PRM on a finished generator. `survival`: weight of the prefix loss (APAO's idea). `augment`:
    share of history items dropped. `averaged`: epochs at the end whose weights are averaged. `stop`: epochs run of
    the schedule's (0 = all, the best on validation selected).
    """

    epochs: int = 20
    users: int = 256
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    warmup: float = 0.05
    clip: float = 1.0
    negatives: int = 64
    cross_positions: int = 256
    cross_epochs: int = 6
    sampled: int = 0
    shards: int = 1
    guided: int = 0
    prm_loss: PrmLoss = "softmax"
    positives: int = 1
    stages: Stages = "joint"
    labels: Labels = "prefix"
    graded: Graded = "next"
    credit: Credit = "value"
    epsilon: float = 0.8
    alike: int = 8
    labelled: Labelled = "all"
    label_limit: int = 0
    survival: float = 0.0
    augment: float = 0.0
    averaged: int = 0
    stop: int = 0
    precision: Precision = "auto"
    validation_users: int = 4000
    validate_every: int = 2
    seed: int = 0


@dataclass(frozen=True)
class CorrectionRecipe:
    """The correction of the best `pool` leaves by the `newest` items of a history, fitted after the network.

    `profile`: width of an item profile a group; `lists`: it is fitted to so many at most; the last three choices size
    the network, those before its training.
    """

    pool: int = 200
    newest: int = 20
    profile: int = 128
    lists: int = 20_000
    epochs: int = 4
    users: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    width: int = 32
    heads: int = 4
    dropout: float = 0.1


@dataclass(frozen=True)
class VotesRecipe:
    """Bootstrap heads of the inner PRM and its predicted-interest query, fitted on the finished network.

    A head moves the context by a map of `rank`; `share`: of a step's positions that each head sees; `positives`: next
    items that the interest query predicts; `judged`: validation users whose items the temperatures are fitted to.
    """

    heads: int = 16
    rank: int = 16
    positives: int = 5
    share: float = 0.0625
    epochs: int = 2
    users: int = 256
    learning_rate: float = 1e-2
    weight_decay: float = 0.01
    judged: int = 4000


@dataclass(frozen=True)
class Recipe:
    """Everything that turns a dataset into a bundle; without `correction` leaves keep their inner product."""

    name: str = "default"
    tokenizer: TokenizerRecipe = field(default_factory=TokenizerRecipe)
    network: NetworkRecipe = field(default_factory=NetworkRecipe)
    training: TrainingRecipe = field(default_factory=TrainingRecipe)
    correction: CorrectionRecipe | None = None
    votes: VotesRecipe | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def choices(self) -> dict[str, Any]:
        """What differs from the default recipe, by section: a field added later leaves older work as it was."""
        found: dict[str, Any] = differing(self.as_dict(), Recipe().as_dict())
        return found

    def with_training(self, **changes: Any) -> "Recipe":
        return replace(self, training=replace(self.training, **changes))

    def with_network(self, **changes: Any) -> "Recipe":
        return replace(self, network=replace(self.network, **changes))

    def with_tokenizer(self, **changes: Any) -> "Recipe":
        return replace(self, tokenizer=replace(self.tokenizer, **changes))


def named(name: str) -> Recipe:
    """The recipe of this name.

    Raises:
        RecipeError: there is none.
    """
    recipes = {"default": Recipe(), "best": _best(), "smoke": _smoke(), "study": _study()}
    if name not in recipes:
        raise RecipeError(f"no recipe is called '{name}': {', '.join(recipes)} are known")
    return recipes[name]


def tokenizer(source: str, depth: int, codebook: int, base: TokenizerRecipe | None = None) -> TokenizerRecipe:
    """`base` with these choices; 0 leaves a number as it is.

    Raises:
        RecipeError: an unknown source, or a number that cannot be.
    """
    base = base or TokenizerRecipe()
    if source not in get_args(SidSource):
        raise RecipeError(f"'{source}' is no source of semantic IDs: {', '.join(get_args(SidSource))} are known")
    depth, codebook = depth or base.depth, codebook or base.codebook
    if not (1 <= depth <= 8 and 2 <= codebook <= 65_536):
        raise RecipeError(f"{depth} codes of {codebook} are out of range: 1 to 8 of 2 to 65,536")
    return replace(base, source=source, depth=depth, codebook=codebook)  # type: ignore[arg-type]  # checked above


def forms(text: str) -> tuple[PrmForm, ...]:
    """PRM forms from a comma-separated list.

    Raises:
        RecipeError: an unknown form, or none.
    """
    known = get_args(PrmForm)
    named_forms = tuple(part.strip() for part in text.split(","))
    if not set(named_forms) <= set(known) or len(set(named_forms)) != len(named_forms):
        raise RecipeError(f"'{text}' is not a list of PRM forms: {', '.join(known)} are known, each once")
    return named_forms  # type: ignore[return-value]  # checked just above


def _best() -> Recipe:
    """What ships: the default network for the epochs that validation chose, a correction of its best leaves, votes."""
    return Recipe("best", correction=CorrectionRecipe(), votes=VotesRecipe()).with_training(stop=14)


def _study() -> Recipe:
    """Half the width and fewer epochs: for comparing ideas with each other, one seed, in a few minutes an arm."""
    small = Recipe("study").with_network(width=64, head_width=16, feed_forward=256, dropout=0.3)
    return small.with_training(epochs=8, stop=8, validate_every=8, precision="float32")


def differing(value: Any, default: Any) -> Any:
    """Of a tree of choices those that are not the default's; all of it where only one of the two is a tree."""
    if not isinstance(value, dict) or not isinstance(default, dict):
        return value
    parts = {key: differing(part, default.get(key)) for key, part in value.items() if part != default.get(key)}
    return {key: part for key, part in parts.items() if part != {}}


def _smoke() -> Recipe:
    """Seconds instead of minutes: for trying the pipeline, not for recommending anything."""
    small = Recipe("smoke", tokenizer=TokenizerRecipe(codebook=16, dimensions=8))
    small = small.with_network(width=16, heads=2, head_width=8, feed_forward=32, history=20)
    return small.with_training(epochs=2, users=64, validate_every=1)
