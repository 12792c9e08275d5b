"""What POST /recommend takes (design section 4)."""

from typing import Annotated

from pydantic import BeforeValidator, Discriminator, Field, StrictBool, Tag, WithJsonSchema

from service.api.schemas.common import LONGEST_ID, ItemIds, TierName, UserId, Wire, example
from service.budget.ladder import AUTO
from service.filters import Filter
from service.recommender import Ask
from service.search.strategies.shelf import STRATEGIES

MAX_K = 1000
MAX_NAMES = 100


class BudgetRequest(Wire):
    """A tier, a time, or both."""

    tier: TierName | None = Field(default=None, description=f"`{AUTO}` or a tier; absent: the service's own choice.")
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

StrategyName = Annotated[
    str, Field(min_length=1, max_length=64), WithJsonSchema({"type": "string", "enum": list(STRATEGIES)})
]

_NAME = {"type": "string", "minLength": 1, "maxLength": LONGEST_ID}
_Name = Annotated[str, Field(min_length=1, max_length=LONGEST_ID)]
Names = Annotated[
    list[_Name],
    Field(max_length=MAX_NAMES),
    BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
    WithJsonSchema({"anyOf": [_NAME, {"type": "array", "items": _NAME, "maxItems": MAX_NAMES}]}),
]


class FilterRequest(Wire):
    """Only items that fit every field given; k of them still come back where there are k."""

    category: Names = Field(default=[], description="One category or several; a path means all that lies below it.")
    brand: Names = Field(default=[], description="One brand or several.")
    allow: ItemIds | None = Field(default=None, description="Only these item ids; unknown ones change nothing.")


class RecommendRequest(Wire):
    """What to recommend, to whom, and at what cost."""

    model_config = example(history=["B0002JHI1I", "B000142FVW"], k=5, budget="k50", explain=False)

    user_id: UserId | None = Field(
        default=None,
        description="Decides the experiment bucket; without `history` the stored history of this user is used.",
    )
    history: ItemIds | None = Field(
        default=None,
        description="Item ids, oldest first, at most 10,000. Unknown ones are skipped and counted, the newest kept.",
    )
    k: int = Field(default=10, strict=True, ge=1, le=MAX_K)
    strategy: StrategyName | None = Field(
        default=None, description="How the search spends its tier; absent: the bucket's, else the service's own."
    )
    budget: Budget | None = Field(
        default=None, description="`auto`, a tier's name, or an object; absent: the bucket's, else the service's own."
    )
    exclude: ItemIds = Field(default=[], description="Item ids that must not come back; unknown ones change nothing.")
    exclude_seen: StrictBool = Field(default=True, description="Leave out every item of the history.")
    filter: FilterRequest | None = Field(default=None, description="Categories, brands or items to choose from.")
    explain: StrictBool = Field(default=False, description="Add the search level by level and the path of every item.")

    def ask(self, default_tier: str) -> Ask:
        """The same, transport apart; `default_tier` is the budget of a request that names none."""
        return Ask(
            history=None if self.history is None else tuple(self.history),
            user_id=self.user_id,
            k=self.k,
            budget=self.tier or default_tier,
            budget_given=self.tier is not None,
            strategy=self.strategy,
            exclude=tuple(self.exclude),
            exclude_seen=self.exclude_seen,
            filter=self._filter(),
            explain=self.explain,
        )

    @property
    def tier(self) -> str | None:
        """The tier asked for in either form."""
        return self.budget.tier if isinstance(self.budget, BudgetRequest) else self.budget

    @property
    def latency_ms(self) -> float | None:
        """The deadline asked for in the body."""
        return self.budget.latency_ms if isinstance(self.budget, BudgetRequest) else None

    def _filter(self) -> Filter | None:
        if self.filter is None:
            return None
        allow = None if self.filter.allow is None else tuple(self.filter.allow)
        return Filter(tuple(self.filter.category), tuple(self.filter.brand), allow)
