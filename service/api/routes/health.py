"""Liveness: restart me if not. Readiness: send me traffic. Redis decides neither: without it answers are slower."""

from fastapi import APIRouter, Response

from service.api.dependencies import StateOf
from service.api.described import Responses
from service.api.schemas.health import Check, Health
from service.api.state import State

router = APIRouter(prefix="/health", tags=["health"])

STALLED_S = 30.0  # no batch keeps the device this long: its thread hangs
UNAVAILABLE: Responses = {503: {"description": "A check fails", "model": Health}}


@router.get("/live", responses=UNAVAILABLE, summary="Is the process worth keeping?")
async def live(state: StateOf, response: Response) -> Health:
    return _report(live_checks(state), response)


@router.get("/ready", responses=UNAVAILABLE, summary="Should it get traffic?")
async def ready(state: StateOf, response: Response) -> Health:
    return _report(ready_checks(state), response)


def live_checks(state: State) -> dict[str, Check]:
    busy = state.device_busy_s()
    return {"device": Check(ok=busy < STALLED_S, detail=f"busy for {busy:.1f} s")}


def ready_checks(state: State) -> dict[str, Check]:
    """The experiments file is reported, not judged: a bad one leaves the old experiments in force."""
    models = ", ".join(state.bundles.get(name).tag for name in state.bundles.names)
    checks = {"model": Check(ok=True, detail=f"{models} on {', '.join(state.providers)}")}
    if state.experiments.last_error is not None:
        checks["experiments"] = Check(ok=True, detail=f"the old ones stay. {state.experiments.last_error}")
    draining = state.is_draining()
    checks["accepting"] = Check(ok=not draining, detail="draining" if draining else "accepting requests")
    return checks


def good(checks: dict[str, Check]) -> bool:
    return all(check.ok for check in checks.values())


def _report(checks: dict[str, Check], response: Response) -> Health:
    response.status_code = 200 if good(checks) else 503
    return Health(status="ok" if good(checks) else "unavailable", checks=checks)
