"""What the probes answer."""

from pydantic import BaseModel

from service.api.schemas.common import example


class Check(BaseModel):
    ok: bool
    detail: str


class Health(BaseModel):
    """`ok` if all checks are."""

    model_config = example(status="ok", checks={"accepting": {"ok": True, "detail": "accepting requests"}})

    status: str
    checks: dict[str, Check]
