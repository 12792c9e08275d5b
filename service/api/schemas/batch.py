"""What POST /recommend/batch takes and gives: each entry stands alone, a wrong one too."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from service.api.schemas.answer import EXAMPLE, RecommendResponse
from service.api.schemas.common import Problem, example
from service.api.schemas.recommend import RecommendRequest

MAX_ENTRIES = 64


@dataclass(frozen=True)
class Misfit:
    """An entry that is no request, and what pydantic found wrong with it."""

    errors: list[Any]


def _or_misfit(value: object, validate: ValidatorFunctionWrapHandler) -> RecommendRequest | Misfit:
    try:
        request: RecommendRequest = validate(value)
    except ValidationError as error:
        return Misfit(list(error.errors(include_url=False)))
    return request


Entry = Annotated[RecommendRequest, WrapValidator(_or_misfit)]  # at run time also a Misfit; the document need not know
Entries = Annotated[list[Entry], Field(max_length=MAX_ENTRIES)]


class BatchResult(BaseModel):
    """One entry's answer or its problem, never both."""

    model_config = example(response=EXAMPLE)

    response: RecommendResponse | None = None
    problem: Problem | None = None
