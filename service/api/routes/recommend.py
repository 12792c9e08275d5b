"""POST /recommend and POST /recommend/batch."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Body, Response
from pydantic_core import to_json

from service.api import described
from service.api.context import RequestContext
from service.api.dependencies import Arrival, Arrived
from service.api.presenter import server_timing
from service.api.problems import document, misfit
from service.api.schemas.answer import RecommendResponse
from service.api.schemas.batch import BatchResult, Entries, Misfit
from service.api.schemas.recommend import RecommendRequest
from service.api.serving import serve
from service.api.timeouts import PARAMETERS
from service.api.tracing import entry_span
from service.errors import OverloadedError, PromiseError

router = APIRouter(tags=["recommend"])

JSON = "application/json"
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
    response_model=RecommendResponse,
    responses=described.headers("X-AB-Bucket", "X-Request-ID", "Server-Timing")
    | described.problems(*described.BODY, described.BAD, *described.CALLER, described.CHOICE, OVERLOADED),
    openapi_extra={"parameters": [BUCKET_HEADER, *PARAMETERS]},
    summary="The next items for a history",
)
async def recommend(body: RecommendRequest, arrived: Arrived) -> Response:
    shown, timing = await answer(body, arrived, arrived.context)
    return Response(shown, headers={"Server-Timing": timing}, media_type=JSON)


@router.post(
    "/recommend/batch",
    response_model=list[BatchResult],
    responses=described.headers("X-AB-Bucket", "X-Request-ID")
    | described.problems(*described.BODY, described.BAD, *described.CALLER, described.CHOICE),
    openapi_extra={"parameters": [BUCKET_HEADER, *PARAMETERS]},
    summary="Up to 64 requests at once, each answered or refused by itself",
)
async def recommend_batch(
    body: Annotated[Entries, Body(examples=[[{"history": ["B0002JHI1I"], "k": 5}, {"user_id": "u-1"}]])],
    arrived: Arrived,
) -> Response:
    """The answers in the order of the requests. Each is assigned, admitted and budgeted as if it had come alone."""
    results = await asyncio.gather(*(_entry(entry, number, arrived) for number, entry in enumerate(body)))
    failed = sum("problem" in result for result in results)
    arrived.context.log |= {"entries": len(results), "failed": failed}
    return Response(_json(results), media_type=JSON)


async def answer(body: RecommendRequest, arrived: Arrival, context: RequestContext) -> tuple[bytes, str]:
    """The body of the response and its Server-Timing; raises as `serve`."""
    shown = await serve(body, arrived, context)
    return _json(shown), server_timing(shown["timings_ms"], shown["cache"])


async def _entry(entry: RecommendRequest | Misfit, number: int, arrived: Arrival) -> dict[str, Any]:
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
    arrived.state.meter.answered(context.bucket, shown["budget"]["tier"], context.elapsed_s())
    return {"response": shown}


def _refused(error: PromiseError, arrived: Arrival, context: RequestContext, extra: Any = None) -> dict[str, Any]:
    return {"problem": document(error, arrived.path, context, extra)}


def _json(shown: Any) -> bytes:
    return to_json(shown, inf_nan_mode="null")
