"""The bundle manifest: what a bundle is, how it was made, and the hash of every file (no torch)."""

import hashlib
from math import inf
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

MOST_LAYERS, MOST_CODES, MOST_ITEMS = 256, 16, 2**31 - 2  # beyond them a manifest is damaged, not large
UNFINISHED = "unfinished"  # the version of a bundle whose making was cut


class Strict(BaseModel):
    """Frozen; unknown fields are an error, and so are numbers that are none."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Dims(Strict):
    """Sizes of the exported graphs; `history` is the most items an encoding covers."""

    width: int = Field(gt=0)
    heads: int = Field(gt=0)
    head_width: int = Field(gt=0)
    encoder_layers: int = Field(gt=0, le=MOST_LAYERS)
    decoder_layers: int = Field(gt=0, le=MOST_LAYERS)
    feed_forward: int = Field(gt=0)
    history: int = Field(gt=0)


class Provenance(Strict):
    """Data, seed and selection that the weights come from.

    `train_digest` is a sha256 over the sequences trained on: recomputed from the data without its last items, it
    proves that the bundle never saw them (`promise audit`). `shuffled`: the seed that ordered the items of one day;
    None where they stand as in the file.
    """

    dataset: str
    dataset_digest: str
    users: int
    interactions: int
    train_digest: str
    seed: int
    epochs: int
    recipe: dict[str, Any]
    shuffled: int | None = None


class Scoring(Strict):
    """The scoring rule chosen on validation: score = reward + weight · log-probability, by kind of prefix.

    `leaf` ranks items, `prefix` prunes at every depth above them.
    """

    leaf: float = Field(ge=0)
    prefix: float = Field(ge=0)


class Learned(Strict):
    """A difficulty learned from validation users: what a narrower search would lose (service.budget.difficulty).

    Logistic of bias + weights · measures + codes · shares; `codes` has a weight for every first code.
    """

    bias: float
    weights: dict[str, float]
    codes: tuple[float, ...]


class Walk(Strict):
    """What `auto` may spend (design section 5): tiers that each add validated NDCG for their cost, cheapest first.

    A request whose level-1 difficulty is at most thresholds[i] needs no more than tiers[i]; beyond the last threshold
    it gets the last tier. Without thresholds difficulty decides nothing; a threshold below 0 leaves its tier to load
    and deadlines. `signal` names how the difficulty is measured (service.budget.difficulty); `learned` goes with the
    signal of that name. `widths`: (K', K+) of every level, for tiers that are not as wide at all depths.
    """

    tiers: tuple[str, ...] = Field(min_length=1)
    signal: str = "entropy"
    thresholds: tuple[float, ...] = ()
    learned: Learned | None = None
    widths: dict[str, tuple[tuple[int, int], ...]] = {}

    @model_validator(mode="after")
    def _climbs(self) -> "Walk":
        if list(self.thresholds) != sorted(self.thresholds):
            raise ValueError("thresholds must climb")
        if self.thresholds and len(self.thresholds) != len(self.tiers) - 1:
            raise ValueError("a walk has one threshold between every two tiers, or none at all")
        if (self.signal == "learned") != (self.learned is not None):
            raise ValueError("the signal 'learned' needs its weights, and no other signal has any")
        return self


class Correction(Strict):
    """The bundle ranks its `pool` best leaves anew, by the `newest` items of the history (contract.CORRECTION)."""

    pool: int = Field(gt=0)
    newest: int = Field(gt=0)


class Votes(Strict):
    """The bundle has `heads` bootstrap heads (contract.VOTES).

    The softmax over all valid prefixes of a depth of the mean vote, divided by the depth's temperature, is a
    probability.
    """

    heads: int = Field(gt=0)
    temperature: tuple[float, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _warm(self) -> "Votes":
        if not all(0 < each < inf for each in self.temperature):
            raise ValueError("temperatures must be above 0")
        return self


class Manifest(Strict):
    """`manifest.json` of a bundle (design section 3)."""

    name: str = Field(min_length=1)
    version: str = Field(min_length=1)
    contract_version: int
    setting: Literal["A", "B", "none"]
    dims: Dims
    depth: int = Field(gt=0, le=MOST_CODES)
    codebook: int = Field(gt=0, le=MOST_ITEMS)
    items: int = Field(gt=0, le=MOST_ITEMS)
    parameters: int = Field(gt=0)
    prm: Literal["inner", "cross"]
    scoring: Scoring
    auto: Walk | None = None
    exact: bool
    correction: Correction | None = None
    votes: Votes | None = None
    precision: Literal["float32", "int8"] = "float32"
    provenance: Provenance
    metrics: dict[str, float]
    files: dict[str, str]

    @model_validator(mode="after")
    def _votes_fit(self) -> "Manifest":
        if self.votes and (self.prm != "inner" or len(self.votes.temperature) != self.depth):
            raise ValueError("votes need the inner form of the PRM, and a temperature for every depth")
        return self

    @property
    def tag(self) -> str:
        """Name and version, as cache keys, logs and responses name a model."""
        return f"{self.name}@{self.version}"


def sha256(path: Path) -> str:
    """Hex digest of a file, read in blocks."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
