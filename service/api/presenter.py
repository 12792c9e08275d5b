"""From an answer to the wire."""

from collections.abc import Sequence
from typing import Any

from service.api.context import RequestContext
from service.api.schemas.answer import Item
from service.engine.catalogue import Catalogue
from service.experiments.assignment import Assigned, Assignments
from service.recommender import Answer
from service.tasks import Scored


def present(answer: Answer, assignments: Assignments, token: str, context: RequestContext) -> dict[str, Any]:
    """The body of a RecommendResponse; `search`, `checks` and `trace` are there only if the request was explained.

    No model is made of it: that would cost a thousand items as much time as a search.
    """
    choice, history, served = answer.choice, answer.history, answer.served
    body: dict[str, Any] = {
        "request_id": context.request_id,
        "items": _items(answer.items, served.catalogue),
        "budget": {
            "requested": choice.requested,
            "tier": choice.tier,
            "k_keep": choice.k_keep,
            "k_plus": choice.k_plus,
            "reason": choice.reason,
            "strategy": choice.strategy,
        },
        "experiment": _bucket(assignments.primary),
        "experiments": [_bucket(assigned) for assigned in assignments.all],
        "feedback_token": token,
        "source": answer.source,
        "history": {
            "used": len(history.rows),
            "unknown": history.unknown,
            "truncated": history.truncated,
            "stored": history.stored,
        },
        "cache": answer.cache,
        "model": {"name": served.name, "version": served.version},
        "degraded": answer.degraded is not None,
        "timings_ms": timings_ms(answer, context),
    }
    if answer.levels is not None:
        body["search"] = {"levels": answer.levels}
    if answer.checks is not None:
        body["checks"] = answer.checks
    return body


def timings_ms(answer: Answer, context: RequestContext) -> dict[str, float]:
    """Milliseconds per stage, and `total` since the request arrived."""
    stages = {**answer.seconds, "total": context.elapsed_s()}
    return {stage: round(1000 * seconds, 3) for stage, seconds in stages.items()}


def server_timing(timings: dict[str, float], cache: str) -> str:
    """The Server-Timing header of the same figures."""
    stages = [f"{stage};dur={duration}" for stage, duration in timings.items()]
    return ", ".join([*stages, f'encodings;desc="{cache}"'])


def _bucket(assigned: Assigned) -> dict[str, str]:
    return {"name": assigned.experiment, "bucket": assigned.bucket, "source": assigned.source}


def _items(found: Sequence[Scored], catalogue: Catalogue) -> list[Item]:
    if not found:
        return []
    ids, sids = catalogue.ids, catalogue.sids.take([scored.row - 1 for scored in found], 0).tolist()
    items: list[Item] = [
        {
            "item_id": ids[row - 1],
            "score": round(score, 6),
            "log_prob": None if log_prob is None else round(log_prob, 6),
            "reward": None if reward is None else round(reward, 6),
            "sid": sid,
        }
        for (row, score, log_prob, reward, _), sid in zip(found, sids, strict=True)
    ]
    for item, scored in zip(items, found, strict=True):
        if scored.path is not None:
            item["trace"] = scored.path
    return items
