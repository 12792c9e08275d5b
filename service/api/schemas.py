"""The wire format of POST /recommend (design section 4)."""

from typing import (
    Annotated,
    Literal,
    NotRequired,  # typing's own lacks what pydantic needs before Python 3.12
)

from pydantic import BaseModel, ConfigDict, Discriminator, Field, StrictBool, Tag
from typing_extensions import TypedDict

from service.budget.ladder import AUTO, Strategy
from service.cache.encodings import CacheResult
from service.explain import LevelTrace, PathStep
from service.recommender import Ask, Source

MAX_K = 1000
MAX_IDS = 10_000

ItemId = Annotated[str, Field(min_length=1, max_length=256)]
ItemIds = Annotated[list[ItemId], Field(max_length=MAX_IDS, fail_fast=True)]
TierName = Annotated[str, Field(min_length=1, max_length=64)]


class Wire(BaseModel):
    """Frozen; an unknown field is an error, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class BudgetRequest(Wire):
    """A tier, a time, or both."""

    tier: TierName = AUTO
    latency_ms: float | None = Field(
        default=None,
        strict=True,
        gt=0,
        le=600_000,
        allow_inf_nan=False,
        description="Deadline in ms from the arrival of the request.",
    )


def _budget_form(value: object) -> str:
    """The bar marks what is no field: problems leave it out of field names."""
    return "|object" if isinstance(value, dict | BudgetRequest) else "|name"


Budget = Annotated[
    Annotated[TierName, Tag("|name")] | Annotated[BudgetRequest, Tag("|object")], Discriminator(_budget_form)
]


class RecommendRequest(Wire):
    """What to recommend, to whom, and at what cost."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"history": ["B0002JHI1I", "B000142FVW"], "k": 5, "budget": "k50", "explain": False}]
        }
    )

    user_id: str | None = Field(
        default=None, min_length=1, max_length=256, description="Without a history: the popular items."
    )
    history: ItemIds | None = Field(
        default=None,
        description="Item ids, oldest first, at most 10,000. Unknown ones are skipped and counted, the newest kept.",
    )
    k: int = Field(default=10, strict=True, ge=1, le=MAX_K)
    strategy: Strategy = Field(default="guided", description="`beam` searches without the process reward model.")
    budget: Budget = Field(default=AUTO, description="`auto`, a tier's name, or an object.")
    exclude: ItemIds = Field(default=[], description="Item ids that must not come back; unknown ones change nothing.")
    exclude_seen: StrictBool = Field(default=True, description="Leave out every item of the history.")
    explain: StrictBool = Field(default=False, description="Add the search level by level and the path of every item.")

    def ask(self) -> Ask:
        """The same, transport apart."""
        tier = self.budget if isinstance(self.budget, str) else self.budget.tier
        return Ask(
            history=tuple(self.history or ()),
            k=self.k,
            tier=tier,
            strategy=self.strategy,
            exclude=tuple(self.exclude),
            exclude_seen=self.exclude_seen,
            explain=self.explain,
        )

    @property
    def latency_ms(self) -> float | None:
        """The deadline asked for in the body."""
        return None if isinstance(self.budget, str) else self.budget.latency_ms


class Item(TypedDict):
    """One item. log_prob is null after an exact scan, reward null on a plain beam; score is what ranked it."""

    item_id: str
    score: float
    log_prob: float | None
    reward: float | None
    sid: list[int]
    trace: NotRequired[tuple[PathStep, ...]]


class BudgetUsed(Wire):
    """The tier that ran (`none` where no search did), its widths, and why."""

    requested: str
    tier: str
    k_keep: int
    k_plus: int
    reason: str


class Experiment(Wire):
    """The bucket that decided this request."""

    name: str = "none"
    bucket: str = "default"
    source: Literal["header", "hash", "default"] = "default"


class HistoryUse(Wire):
    """How many items of the history were encoded, how many ids were unknown, how many older ones were cut."""

    used: int
    unknown: int
    truncated: int


class SearchTrace(Wire):
    """The search level by level; only with `explain`."""

    levels: tuple[LevelTrace, ...]


class ModelName(Wire):
    """The bundle that answered."""

    name: str
    version: str


class RecommendResponse(Wire):
    """Items best first, and how they came about."""

    request_id: str
    items: list[Item]
    budget: BudgetUsed
    experiment: Experiment
    experiments: list[Experiment]
    source: Source
    history: HistoryUse
    search: SearchTrace | None = None
    cache: CacheResult
    model: ModelName
    degraded: bool
    timings_ms: dict[str, float]


class Problem(BaseModel):
    """RFC 9457; `errors` lists the fields found wrong."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    errors: list[dict[str, str]] | None = None
