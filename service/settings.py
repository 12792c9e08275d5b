"""The one settings tree: PROMISE_… environment variables, frozen. Nothing else reads the environment.

| variable | default | |
|---|---|---|
| PROMISE_HOST, PROMISE_PORT | 0.0.0.0, 8000 | where to listen |
| PROMISE_BUNDLE | the shipped Beauty bundle | folder of the bundle to serve |
| PROMISE_DEVICE | auto | auto, cpu or cuda; cuda fails at start where there is none |
| PROMISE_THREADS | 1 | CPU threads inside one graph call |
| PROMISE_CACHE_MB | 64 | memory for history encodings; 0 turns the cache off |
| PROMISE_DEFAULT_TIER | k50 | what `budget: auto` means |
| PROMISE_MAX_CONCURRENT | 64 | admitted requests; the next one gets 503 and Retry-After |
| PROMISE_MAX_BODY_BYTES | 1048576 | longest request body |
| PROMISE_REQUEST_TIMEOUT_MS | 2000 | deadline of a request; callers may shorten it, never lengthen it |
| PROMISE_DRAIN_S | 5 | after SIGTERM: not ready, still serving |
| PROMISE_GRACE_S | 10 | then: how long requests in flight may take |
| PROMISE_AB_HEADER | X-AB-Bucket | request and response header of the experiment bucket |
| PROMISE_LOG_FORMAT | json | json or console |
"""

import difflib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.errors import SettingsError

PREFIX = "PROMISE_"
SHIPPED_BUNDLE = Path(__file__).resolve().parent.parent / "models" / "bundles" / "beauty"

Seconds = Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)]


class Settings(BaseSettings):
    """Everything a deployment may choose; see the table above."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", hide_input_in_errors=True)

    host: str = "0.0.0.0"
    port: int = Field(default=8000, ge=0, le=65535)
    bundle: Path = SHIPPED_BUNDLE
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int = Field(default=1, ge=1, le=256)
    cache_mb: int = Field(default=64, ge=0)
    default_tier: str = "k50"
    max_concurrent: int = Field(default=64, ge=1)
    max_body_bytes: int = Field(default=1 << 20, ge=1024)
    request_timeout_ms: float = Field(default=2000, ge=1, le=600_000, allow_inf_nan=False)
    drain_s: Seconds = 5.0
    grace_s: Seconds = 10.0
    ab_header: str = Field(default="X-AB-Bucket", pattern=r"^[A-Za-z0-9-]{1,64}$")
    log_format: Literal["json", "console"] = "json"


def load(**overrides: Any) -> Settings:
    """Settings from the environment; `overrides` (from the command line) win over it.

    Raises:
        SettingsError: an unknown PROMISE_ variable or a value that does not fit.
    """
    _reject_unknown(os.environ)
    try:
        return Settings(**overrides)
    except ValidationError as error:
        first = error.errors()[0]
        name = PREFIX + "_".join(map(str, first["loc"])).upper()
        raise SettingsError(f"{name} is not valid: {first['msg']}.") from None


def _reject_unknown(names: Iterable[str]) -> None:
    known = [PREFIX + field.upper() for field in Settings.model_fields]
    for name in names:
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            nearest = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.0)
            raise SettingsError(f"{name} is not a setting; the nearest known name is {nearest[0]}.")
