"""What the bodies of all routes have in common."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

MAX_IDS = 10_000
LONGEST_ID = 256

ItemId = Annotated[str, Field(min_length=1, max_length=LONGEST_ID)]
ItemIds = Annotated[list[ItemId], Field(max_length=MAX_IDS, fail_fast=True)]
UserId = Annotated[str, Field(min_length=1, max_length=LONGEST_ID)]
TierName = Annotated[str, Field(min_length=1, max_length=64)]


class Wire(BaseModel):
    """Frozen; an unknown field is an error, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Problem(BaseModel):
    """RFC 9457; `errors` lists the fields found wrong."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    errors: list[dict[str, str]] | None = None


def example(**fields: Any) -> ConfigDict:
    """The configuration of a body that the API's document shows by this example."""
    return ConfigDict(json_schema_extra={"examples": [fields]})
