"""GET /catalogue and below: what the playground needs to know of bundles, items and prefixes."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic_core import to_json

from service.api import described
from service.api.dependencies import StateOf
from service.api.listed import bundle_shown, items_by_id, items_by_words, prefixes_shown
from service.api.schemas.catalogue import (
    CatalogueShown,
    Defaults,
    ItemsQuery,
    ItemsShown,
    PrefixesQuery,
    PrefixesShown,
    SamplesQuery,
    SamplesShown,
)
from service.api.state import State
from service.errors import InvalidRequestError, OverloadedError

router = APIRouter(prefix="/catalogue", tags=["catalogue"])

JSON = "application/json"
ASKED = (described.UNKNOWN, described.INVALID, *described.CALLER)
BUSY = (OverloadedError, "More look-ups than can be answered in time")


@router.get("", responses=described.problems(*described.CALLER), summary="The bundles, with their tiers and strategies")
async def offered(state: StateOf) -> CatalogueShown:
    default = state.bundles.get()
    return CatalogueShown(
        bundles=[bundle_shown(state.bundles.get(name)) for name in state.bundles.names],
        default=Defaults(bundle=default.slot, tier=state.default_tier, strategy=default.ladder.strategy),
        header=state.ab_header,
        deadline_ms=state.timeout_ms,
    )


@router.get(
    "/items",
    response_model=ItemsShown,
    responses=described.problems(*ASKED, BUSY),
    summary="Items by words or by id",
)
async def items(query: Annotated[ItemsQuery, Query()], state: StateOf) -> Response:
    served = state.bundles.get(query.bundle)
    if query.id is None:
        return await _looked_up(state, lambda: items_by_words(served, state.desk.words(served), query.q, query.limit))
    if query.q:
        raise InvalidRequestError("q: ask by words or by id, not both.")
    wanted = query.id
    return await _looked_up(state, lambda: items_by_id(served, wanted))


@router.get("/samples", responses=described.problems(*ASKED), summary="Made histories to try")
async def samples(query: Annotated[SamplesQuery, Query()], state: StateOf) -> SamplesShown:
    made = state.bundles.get(query.bundle).catalogue.samples[: query.limit]
    return SamplesShown(samples=[list(ids) for ids in made])


@router.get(
    "/prefixes",
    response_model=PrefixesShown,
    responses=described.problems(*ASKED, BUSY),
    summary="What prefixes of semantic IDs stand for",
)
async def prefixes(query: Annotated[PrefixesQuery, Query()], state: StateOf) -> Response:
    served = state.bundles.get(query.bundle)
    return await _looked_up(state, lambda: prefixes_shown(served, query.sid))


async def _looked_up(state: State, work: Callable[[], Any]) -> Response:
    """Written as JSON on the worker thread too."""
    return Response(await state.desk.ask(lambda: to_json(work())), media_type=JSON)
