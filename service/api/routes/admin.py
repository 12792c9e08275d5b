"""For operators: bundles, catalogue, drain, budget. Every route wants the admin token."""

from collections.abc import Awaitable
from pathlib import Path as Folder
from typing import Annotated

from fastapi import APIRouter, Depends, Path

from service.api import described
from service.api.context import RequestContext
from service.api.dependencies import ContextOf, StateOf, json_body
from service.api.guard import DOCUMENTED, Guarded
from service.api.schemas.admin import (
    BudgetShown,
    BudgetsShown,
    BundleShown,
    CatalogueRequest,
    Drained,
    FreezeRequest,
    ReloadRequest,
)
from service.api.state import State
from service.errors import InvalidRequestError, StartError
from service.served import Served

router = APIRouter(
    prefix="/admin",
    tags=["admin"],
    route_class=Guarded,
    dependencies=[Depends(json_body), Depends(DOCUMENTED)],
    responses=described.problems(*described.ADMIN),
)

CHANGE = described.problems(described.UNKNOWN, described.CONFLICT, *described.BODY)
Slot = Annotated[str, Path(max_length=256, examples=["beauty"])]


@router.get("/bundles", summary="What is served")
async def bundles(state: StateOf) -> list[BundleShown]:
    return [_shown(state, state.bundles.get(name)) for name in state.bundles.names]


@router.post("/bundles/{name}/reload", responses=CHANGE, summary="Serve a folder's bundle")
async def reload(name: Slot, state: StateOf, context: ContextOf, body: ReloadRequest | None = None) -> BundleShown:
    """Loaded, checked and warmed up beside the traffic, then swapped in. A folder that is no bundle changes nothing."""
    folder = _permitted(state, body.path) if body and body.path else None
    before = state.bundles.get(name)
    served = await _changed(state.bundles.reload(name, folder))
    return _done(state, context, _as_frozen(served, before))


@router.post("/bundles/{name}/rollback", responses=CHANGE, summary="Undo the last change")
async def rollback(name: Slot, state: StateOf, context: ContextOf) -> BundleShown:
    before = state.bundles.get(name)
    return _done(state, context, _as_frozen(await state.bundles.rollback(name), before))


@router.post("/bundles/{name}/catalogue", responses=CHANGE, summary="Add and retire items")
async def catalogue(name: Slot, body: CatalogueRequest, state: StateOf, context: ContextOf) -> BundleShown:
    """Rollback undoes it; so does a reload. All of the change is made or none of it."""
    return _done(state, context, await _changed(state.bundles.revise(name, body.change())))


@router.post("/drain", summary="Ask for no new traffic")
async def drain(state: StateOf) -> Drained:
    """/health/ready answers 503 from now on; requests that come all the same are answered."""
    state.drain()
    return Drained(draining=True)


@router.get("/budget", summary="What `auto` may spend now")
async def budget(state: StateOf) -> BudgetsShown:
    return _budgets(state)


@router.put(
    "/budget",
    responses=described.problems(*described.BODY, described.BAD),
    summary="Give every `auto` request one tier",
)
async def freeze(body: FreezeRequest, state: StateOf, context: ContextOf) -> BudgetsShown:
    """Until it is taken back, over reloads and rollbacks."""
    every = [state.bundles.get(name) for name in state.bundles.names]
    for served in every:
        served.ladder.check(body.tier)
    for served in every:
        served.controller.freeze(body.tier)
    context.log["frozen"] = body.tier
    return _budgets(state)


@router.delete("/budget", summary="Let `auto` decide again")
async def thaw(state: StateOf) -> BudgetsShown:
    for name in state.bundles.names:
        state.bundles.get(name).controller.freeze(None)
    return _budgets(state)


def _permitted(state: State, path: str) -> Folder:
    """The folder of that path, links followed.

    Raises:
        InvalidRequestError: it is no folder below the parent of a configured bundle.
    """
    try:
        folder = Folder(path).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):
        folder = None
    beside = folder is not None and any(parent in folder.parents for parent in state.bundle_parents)
    if folder is None or not beside or not folder.is_dir():
        raise InvalidRequestError("path: it must be an existing folder beside one of the configured bundles.")
    return folder


async def _changed(change: Awaitable[Served]) -> Served:
    """What cannot be served would have forbidden a start; here it is the caller's mistake.

    Raises:
        InvalidRequestError: the folder holds no bundle that can be served here.
    """
    try:
        return await change
    except StartError as error:
        raise InvalidRequestError(error.detail) from error


def _as_frozen(served: Served, before: Served) -> Served:
    """A new version's budget is as frozen as that of the one it took the place of, where it has the tier."""
    frozen = before.controller.frozen
    served.controller.freeze(frozen if frozen in served.ladder.names else None)
    return served


def _done(state: State, context: RequestContext, served: Served) -> BundleShown:
    """What now serves, in the log line too."""
    context.log |= {"bundle": served.slot, "model": served.tag}
    return _shown(state, served)


def _shown(state: State, served: Served) -> BundleShown:
    return BundleShown(
        slot=served.slot,
        name=served.name,
        version=served.version,
        items=len(served.catalogue.by_popularity),
        path=None if served.path is None else str(served.path),
        former=[former.version for former in state.bundles.former(served.slot)],
        tiers=list(served.ladder.names),
        walk=list(served.ladder.walk),
    )


def _budgets(state: State) -> BudgetsShown:
    served = [state.bundles.get(name) for name in state.bundles.names]
    return BudgetsShown(
        bundles=[
            BudgetShown(
                slot=one.slot,
                walk=list(one.ladder.walk),
                ceiling=one.controller.ceiling,
                frozen=one.controller.frozen,
            )
            for one in served
        ]
    )
