"""Liveness: restart me if not. Readiness: send me traffic."""

from typing import Any

from fastapi import APIRouter
from starlette.responses import JSONResponse

from service.api.dependencies import StateOf

router = APIRouter(prefix="/health", tags=["health"])

STALLED_S = 30.0  # no request keeps the device this long: its thread hangs


@router.get("/live", summary="Is the process worth keeping?")
async def live(state: StateOf) -> JSONResponse:
    busy = state.device_busy_s()
    return _report({"device": (busy < STALLED_S, f"busy for {busy:.1f} s")})


@router.get("/ready", summary="Should it get traffic?")
async def ready(state: StateOf) -> JSONResponse:
    draining, model = state.is_draining(), state.model
    return _report(
        {
            "model": (True, f"{model.name}@{model.version} on {', '.join(state.providers)}"),
            "accepting": (not draining, "draining" if draining else "accepting requests"),
        }
    )


def _report(checks: dict[str, tuple[bool, str]]) -> JSONResponse:
    good = all(ok for ok, _ in checks.values())
    body: dict[str, Any] = {
        "status": "ok" if good else "unavailable",
        "checks": {name: {"ok": ok, "detail": detail} for name, (ok, detail) in checks.items()},
    }
    return JSONResponse(body, 200 if good else 503)
