"""POST /recommend and GET /metrics."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Response

from service.api.context import RequestContext
from service.api.dependencies import Arrived, StateOf
from service.api.presenter import present, server_timing
from service.api.problems import MEDIA_TYPE
from service.api.schemas import Problem, RecommendRequest, RecommendResponse
from service.api.state import State
from service.errors import OverloadedError
from service.recommender import Answer

router = APIRouter()

TimeoutMs = Annotated[
    float | None,
    Header(
        alias="X-Request-Timeout-Ms",
        gt=0,
        allow_inf_nan=False,
        description="Deadline in ms from arrival; never later than the server's own.",
    ),
]
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"description": what, "content": {MEDIA_TYPE: {"schema": Problem.model_json_schema()}}}
    for status, what in {
        400: "Not JSON, an unknown tier, or an unknown bucket",
        413: "The body is too large",
        415: "The body is not application/json",
        422: "A field is missing, wrong or unknown",
        503: "Overloaded; see Retry-After",
    }.items()
}


@router.post(
    "/recommend",
    response_model_exclude_unset=True,
    responses=PROBLEMS,
    summary="The next items for a history",
)
async def recommend(
    body: RecommendRequest,
    arrived: Arrived,
    response: Response,
    timeout_ms: TimeoutMs = None,
) -> RecommendResponse:
    state, context = arrived.state, arrived.context
    deadline = context.deadline(state.timeout_ms, timeout_ms, body.latency_ms)
    try:
        with state.admission.slot():
            answer = await state.recommender.recommend(body.ask(), deadline)
    except OverloadedError:
        state.meter.refused("concurrency")
        raise
    _record(answer, state, context)
    shown = present(answer, state.recommender.catalogue, state.model, context)
    response.headers["Server-Timing"] = server_timing(shown.timings_ms, answer.cache)
    return shown


@router.get("/metrics", include_in_schema=False)
def metrics(state: StateOf) -> Response:
    """A plain function, so on a worker thread: a scrape takes milliseconds that requests should not wait for."""
    figures, content_type = state.meter.exposition()
    return Response(figures, media_type=content_type)


def _record(answer: Answer, state: State, context: RequestContext) -> None:
    choice = answer.choice
    context.tier = choice.tier
    context.log |= {
        "tier": choice.tier,
        "reason": choice.reason,
        "source": answer.source,
        "cache": answer.cache,
        "degraded": answer.degraded,
        "items": len(answer.items),
        "history_used": len(answer.history.rows),
        "history_unknown": answer.history.unknown,
        "stages_ms": {stage: round(1000 * seconds, 3) for stage, seconds in answer.seconds.items()},
    }
    state.meter.served(context.bucket, choice.tier, choice.reason, answer.cache, answer.degraded)
    state.meter.searched(answer.seconds, answer.rescued)
