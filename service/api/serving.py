"""One recommendation, alone or as an entry of a batch: assigned, admitted, answered, recorded."""

from functools import partial
from typing import Any

from service.api.context import RequestContext
from service.api.dependencies import Arrival
from service.api.keyed import permit
from service.api.presenter import present
from service.api.schemas.recommend import RecommendRequest
from service.api.state import State
from service.api.tracing import trace_answer
from service.experiments.assignment import Assignments, assign
from service.experiments.tokens import Token
from service.recommender import Answer
from service.search.guided import Deadline


async def serve(body: RecommendRequest, arrived: Arrival, context: RequestContext) -> dict[str, Any]:
    """The answer to one request, as RecommendResponse describes it.

    Raises:
        RequestError: the caller's mistake.
        OverloadedError: not admitted.
    """
    state = arrived.state
    permit(body, context, state)
    assignments = assign(state.experiments.current, body.user_id, arrived.bucket)
    context.assigned(assignments)
    deadline = context.deadline(state.timeout_ms, *arrived.limits_ms, body.latency_ms)
    with state.admission.slot(lambda: _queue_s(state, assignments, deadline)):
        ask = body.ask(state.default_tier)
        answer = await state.recommender.recommend(ask, assignments, deadline, context.request_id)
    context.later.append(partial(_record, answer, state, context))
    trace_answer(answer, context)
    return present(answer, assignments, _token(answer, assignments, body, state, context), context)


def _queue_s(state: State, assignments: Assignments, deadline: Deadline) -> float | None:
    """None, or the seconds until the queue is drained if even the cheapest tier would come too late."""
    controller = state.bundles.get(assignments.overrides.bundle).controller
    return controller.admit(state.queue_depth(), deadline.at - deadline.clock(), state.on_device())


def _token(
    answer: Answer, assignments: Assignments, body: RecommendRequest, state: State, context: RequestContext
) -> str:
    return state.tokens.sign(
        Token(
            request_id=context.request_id,
            assignments=assignments.triples,
            tier=answer.choice.tier,
            time=state.clock(),
            unit=state.tokens.unit(body.user_id),
        )
    )


def _record(answer: Answer, state: State, context: RequestContext) -> None:
    choice, meter = answer.choice, state.meter
    context.tier = choice.tier
    context.log |= {
        "tier": choice.tier,
        "reason": choice.reason,
        "strategy": choice.strategy,
        "source": answer.source,
        "model": answer.served.tag,
        "cache": answer.cache,
        "cache_tier": answer.cache_tier,
        "batch": answer.batch,
        "degraded": answer.degraded,
        "items": len(answer.items),
        "history_used": len(answer.history.rows),
        "history_unknown": answer.history.unknown,
        "history_stored": answer.history.stored,
        "stages_ms": {stage: round(1000 * seconds, 3) for stage, seconds in answer.seconds.items()},
    }
    meter.served(context.bucket, choice.tier, choice.reason, choice.strategy, answer.degraded)
    meter.looked_up(answer.cache, answer.cache_tier)
    meter.searched(answer.seconds)
    meter.left_out(answer.broken)
    for spent in answer.spent:
        meter.level(spent.level, spent.expanded, spent.kept, spent.rescued, spent.entropy)
