"""From an answer to the wire."""

from collections.abc import Sequence
from typing import Any

from service.api.context import RequestContext
from service.api.schemas.answer import (
    BucketUsed,
    BudgetUsed,
    HistoryUse,
    Item,
    ModelName,
    RecommendResponse,
    SearchTrace,
)
from service.engine.bundle import Catalogue
from service.experiments.assignment import Assigned, Assignments
from service.recommender import Answer
from service.tasks import Scored


def present(answer: Answer, assignments: Assignments, token: str, context: RequestContext) -> RecommendResponse:
    """The response body; `search` and `trace` stay unset, and so off the wire, unless the request was explained.

    Nothing is validated again: that would cost a thousand items as much time as a search.
    """
    choice, history, served = answer.choice, answer.history, answer.served
    search: dict[str, Any] = {} if answer.levels is None else {"search": SearchTrace(levels=answer.levels)}
    return RecommendResponse.model_construct(
        request_id=context.request_id,
        items=_items(answer.items, served.catalogue),
        budget=BudgetUsed(
            requested=choice.requested,
            tier=choice.tier,
            k_keep=choice.k_keep,
            k_plus=choice.k_plus,
            reason=choice.reason,
        ),
        experiment=_bucket(assignments.primary),
        experiments=[_bucket(assigned) for assigned in assignments.all],
        feedback_token=token,
        source=answer.source,
        history=HistoryUse(
            used=len(history.rows), unknown=history.unknown, truncated=history.truncated, stored=history.stored
        ),
        cache=answer.cache,
        model=ModelName(name=served.name, version=served.version),
        degraded=answer.degraded is not None,
        timings_ms=timings_ms(answer, context),
        **search,
    )


def timings_ms(answer: Answer, context: RequestContext) -> dict[str, float]:
    """Milliseconds per stage, and `total` since the request arrived."""
    stages = {**answer.seconds, "total": context.elapsed_s()}
    return {stage: round(1000 * seconds, 3) for stage, seconds in stages.items()}


def server_timing(timings: dict[str, float], cache: str) -> str:
    """The Server-Timing header of the same figures."""
    stages = [f"{stage};dur={duration}" for stage, duration in timings.items()]
    return ", ".join([*stages, f'encodings;desc="{cache}"'])


def _bucket(assigned: Assigned) -> BucketUsed:
    return BucketUsed(name=assigned.experiment, bucket=assigned.bucket, source=assigned.source)


def _items(found: Sequence[Scored], catalogue: Catalogue) -> list[Item]:
    sids = catalogue.sids[[scored.row - 1 for scored in found]].tolist() if found else []
    return [_item(scored, catalogue.ids[scored.row - 1], sid) for scored, sid in zip(found, sids, strict=True)]


def _item(scored: Scored, item_id: str, sid: list[int]) -> Item:
    item: Item = {
        "item_id": item_id,
        "score": round(scored.score, 6),
        "log_prob": None if scored.log_prob is None else round(scored.log_prob, 6),
        "reward": None if scored.reward is None else round(scored.reward, 6),
        "sid": sid,
    }
    if scored.path is not None:
        item["trace"] = scored.path
    return item
