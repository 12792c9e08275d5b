"""What POST /recommend gives (design section 4)."""

from typing import (
    Any,
    Literal,
    NotRequired,  # typing's own lacks what pydantic needs before Python 3.12
)

from typing_extensions import TypedDict

from service.api.schemas.common import Wire, example
from service.cache.encodings import CacheResult
from service.explain import LevelTrace, PathStep
from service.recommender import Source
from service.search.verification import RuleCheck

EXAMPLE: dict[str, Any] = {
    "request_id": "7c0a4f0e2b7d4d0f9a51c6f6c0b1a2d3",
    "items": [{"item_id": "B000VV1YOY", "score": -1.2034, "log_prob": -3.1, "reward": -0.8934, "sid": [17, 203, 5]}],
    "budget": {
        "requested": "auto",
        "tier": "k20",
        "k_keep": 20,
        "k_plus": 80,
        "reason": "difficulty",
        "strategy": "guided",
    },
    "experiment": {"name": "width", "bucket": "wide", "source": "hash"},
    "experiments": [{"name": "width", "bucket": "wide", "source": "hash"}],
    "feedback_token": "eyJyIjoiN2MwYTRmMGUifQ.3kQ5w0",
    "source": "search",
    "history": {"used": 2, "unknown": 0, "truncated": 0, "stored": False},
    "cache": "hit",
    "model": {"name": "beauty", "version": "1.0.0"},
    "degraded": False,
    "timings_ms": {"queue": 0.02, "cache": 0.01, "expand": 0.9, "prune": 0.6, "items": 0.1, "total": 2.1},
}


class Item(TypedDict):
    """One item. log_prob is null after an exact scan, reward null on a plain beam; score is what ranked it."""

    item_id: str
    score: float
    log_prob: float | None
    reward: float | None
    sid: list[int]
    trace: NotRequired[tuple[PathStep, ...]]


class BudgetUsed(Wire):
    """The tier that ran (`none` where no search did), its widths, and why; `strategy`: the search, or `none`."""

    requested: str
    tier: str
    k_keep: int
    k_plus: int
    reason: str
    strategy: str


class BucketUsed(Wire):
    """A bucket of an experiment, and what decided it: the header, the hash of the user, or neither."""

    name: str = "none"
    bucket: str = "default"
    source: Literal["header", "hash", "default"] = "default"


class HistoryUse(Wire):
    """How many items of the history were encoded, how many ids were unknown, how many older ones were cut.

    `stored`: it was read from the store by `user_id`.
    """

    used: int
    unknown: int
    truncated: int
    stored: bool


class SearchTrace(Wire):
    """The search level by level; only with `explain`."""

    levels: tuple[LevelTrace, ...]


class ModelName(Wire):
    """The bundle that answered."""

    name: str
    version: str


class RecommendResponse(Wire):
    """Items best first, and how they came about.

    `experiment` is the first experiment of the file; `experiments` lists all that this request took part in.
    `feedback_token` goes back with POST /feedback. `degraded`: less than what was asked, because of time or a failure.
    `checks`, only with `explain`: the rules that every item has to keep, on how many items each was tried, and how many
    broke it and were left out.
    """

    model_config = example(**EXAMPLE)

    request_id: str
    items: list[Item]
    budget: BudgetUsed
    experiment: BucketUsed
    experiments: list[BucketUsed]
    feedback_token: str
    source: Source
    history: HistoryUse
    search: SearchTrace | None = None
    checks: tuple[RuleCheck, ...] | None = None
    cache: CacheResult
    model: ModelName
    degraded: bool
    timings_ms: dict[str, float]
