"""POST /recommend and POST /recommend/batch."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Body, Response

from service.api import described
from service.api.context import RequestContext
from service.api.dependencies import Arrival, Arrived
from service.api.presenter import server_timing
from service.api.problems import document, misfit
from service.api.schemas.answer import RecommendResponse
from service.api.schemas.batch import BatchResult, Entries, Misfit
from service.api.schemas.common import Problem
from service.api.schemas.recommend import RecommendRequest
from service.api.serving import serve
from service.api.timeouts import PARAMETERS
from service.api.tracing import entry_span
from service.errors import OverloadedError, PromiseError

router = APIRouter(tags=["recommend"])

OVERLOADED = (OverloadedError, "More requests than can be answered in time")
BUCKET_HEADER = {
    "name": "X-AB-Bucket",
    "in": "header",
    "required": False,
    "description": "Bucket to be in, whatever the hash says: `bucket`, or `experiment=bucket`, several separated by "
    "commas. The header's name is a setting (PROMISE_AB_HEADER); the response carries the bucket in it.",
    "schema": {"type": "string"},
    "example": "width=wide",
}


@router.post(
    "/recommend",
    response_model_exclude_unset=True,
    responses=described.headers("X-AB-Bucket", "X-Request-ID", "Server-Timing")
    | described.problems(*described.BODY, described.BAD, OVERLOADED),
    openapi_extra={"parameters": [BUCKET_HEADER, *PARAMETERS]},
    summary="The next items for a history",
)
async def recommend(body: RecommendRequest, arrived: Arrived, response: Response) -> RecommendResponse:
    shown = await serve(body, arrived, arrived.context)
    response.headers["Server-Timing"] = server_timing(shown.timings_ms, shown.cache)
    return shown


@router.post(
    "/recommend/batch",
    response_model_exclude_unset=True,
    responses=described.headers("X-AB-Bucket", "X-Request-ID") | described.problems(*described.BODY, described.BAD),
    openapi_extra={"parameters": [BUCKET_HEADER, *PARAMETERS]},
    summary="Up to 64 requests at once, each answered or refused by itself",
)
async def recommend_batch(
    body: Annotated[Entries, Body(examples=[[{"history": ["B0002JHI1I"], "k": 5}, {"user_id": "u-1"}]])],
    arrived: Arrived,
) -> list[BatchResult]:
    """The answers in the order of the requests. Each is assigned, admitted and budgeted as if it had come alone."""
    results = await asyncio.gather(*(_entry(entry, number, arrived) for number, entry in enumerate(body)))
    failed = sum(result.problem is not None for result in results)
    arrived.context.log |= {"entries": len(results), "failed": failed}
    return results


async def _entry(entry: RecommendRequest | Misfit, number: int, arrived: Arrival) -> BatchResult:
    context = arrived.context.entry(number)
    try:
        if isinstance(entry, Misfit):
            error, extra = misfit([{**one, "loc": ("body", *one["loc"])} for one in entry.errors])
            return _refused(error, arrived, context, extra)
        with entry_span():
            shown = await serve(entry, arrived, context)
    except PromiseError as error:
        return _refused(error, arrived, context)
    except Exception as error:
        arrived.state.log.error("unhandled", request_id=context.request_id, exc_info=error)
        return _refused(PromiseError("Something broke here; the log holds it under this request id."), arrived, context)
    arrived.state.meter.answered(context.bucket, shown.budget.tier, context.elapsed_s())
    return BatchResult.model_construct(response=shown)


def _refused(error: PromiseError, arrived: Arrival, context: RequestContext, extra: Any = None) -> BatchResult:
    return BatchResult.model_construct(problem=Problem.model_construct(**document(error, arrived.path, context, extra)))
