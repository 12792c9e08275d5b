"""What happened out there: interactions for stored histories, and feedback on recommendations."""

from typing import Annotated, Literal

from pydantic import Field

from service.api.schemas.common import ItemId, UserId, Wire, example
from service.experiments.tokens import MAX_TOKEN

MAX_EVENTS = 1000
YEAR_3000 = 32_503_680_000.0  # whoever sends milliseconds is told so

Timestamp = Annotated[float, Field(strict=True, ge=0, le=YEAR_3000, allow_inf_nan=False)]
FeedbackEvent = Literal["impression", "click", "cart", "purchase", "skip"]


class Interaction(Wire):
    """A user met an item."""

    user_id: UserId
    item_id: ItemId
    timestamp: Timestamp | None = Field(default=None, description="Seconds since the epoch; absent: now.")


class EventsRequest(Wire):
    """Interactions of any users in any order; one that is sent twice is kept once."""

    model_config = example(events=[{"user_id": "u-1", "item_id": "B0002JHI1I", "timestamp": 1763730000}])

    events: list[Interaction] = Field(max_length=MAX_EVENTS)


class EventsResponse(Wire):
    """How many are new to the store, and how many it had already."""

    model_config = example(accepted=1, duplicates=0)

    accepted: int
    duplicates: int


class FeedbackRequest(Wire):
    """What became of one recommended item. The token is that of the response which recommended it."""

    model_config = example(feedback_token="eyJyIjoiN2MwYTRmMGUifQ.3kQ5w0", item_id="B000VV1YOY", event="click")  # noqa: S106 - an example

    feedback_token: str = Field(min_length=1, max_length=MAX_TOKEN)
    item_id: ItemId
    event: FeedbackEvent


class FeedbackResponse(Wire):
    """`counted` is false for feedback that was already given."""

    model_config = example(counted=True)

    counted: bool
