"""The one settings tree: PROMISE_… environment variables, frozen. Nothing else reads the environment.

An empty variable counts as absent.

| variable | default | |
|---|---|---|
| PROMISE_HOST, PROMISE_PORT | 0.0.0.0, 8000 | where to listen |
| PROMISE_BUNDLE | the shipped Beauty bundle | bundle folders, separated by commas; the first one answers by default |
| PROMISE_DEVICE | auto | auto, cpu or cuda; cuda fails at start where there is none |
| PROMISE_THREADS | 1 | CPU threads inside one graph call |
| PROMISE_CACHE_MB | 64 | memory for history encodings in this process; 0 turns this tier of the cache off |
| PROMISE_REDIS_URL | | redis://, rediss://, unix://, redis+sentinel://, redis+cluster://; absent: all in this process |
| PROMISE_REDIS_TIMEOUT_MS | 30 | longest wait for one Redis command |
| PROMISE_REDIS_CONFIRM | 0 | replicas of Redis that must hold an event, or a deletion, before it is accepted |
| PROMISE_CACHE_REDIS | true | keep encodings in Redis too; false leaves it to stored histories and events |
| PROMISE_CACHE_TTL_S | 86400 | life of an encoding in Redis, give or take a tenth |
| PROMISE_HISTORY_ITEMS | 1000 | newest interactions kept of a stored history |
| PROMISE_HISTORY_DAYS | 90 | a stored history without new events is forgotten after this many days |
| PROMISE_DEFAULT_TIER | auto | the budget of requests that name none: auto or a tier |
| PROMISE_DEFAULT_STRATEGY | guided | the search strategy of requests that name none |
| PROMISE_AUTO_TIERS | the bundle's own | tiers that auto walks, cheapest first, separated by commas |
| PROMISE_TARGET_MS | 50 | time in the queue and on the device that auto defends by lower tiers when load rises |
| PROMISE_MAX_BATCH | 32 | most requests in one batch; 1 turns batching off |
| PROMISE_BATCH_WAIT_MS | 2 | longest wait for company under load; nobody waits when idle |
| PROMISE_MAX_CONCURRENT | 64 | admitted requests; the next one gets 503 and Retry-After |
| PROMISE_MAX_BODY_BYTES | 1048576 | longest request body |
| PROMISE_MAX_CONNECTIONS | 10000 | open connections; then the longest idle one gives way, or the new one gets 503 |
| PROMISE_READ_TIMEOUT_S | 10 | longest time for a request to arrive whole, and for an answer to be taken |
| PROMISE_REQUEST_TIMEOUT_MS | 2000 | deadline of a request; callers may shorten it, never lengthen it |
| PROMISE_DRAIN_S | 5 | after SIGTERM: not ready, still serving |
| PROMISE_GRACE_S | 10 | then: how long requests in flight may take |
| PROMISE_AB_HEADER | X-AB-Bucket | request and response header of the experiment bucket |
| PROMISE_EXPERIMENTS | | experiments.yaml; absent: no experiment |
| PROMISE_RELOAD_S | 2 | how often the files of experiments and API keys are looked at |
| PROMISE_FEEDBACK_SECRET | random at start | key that signs feedback tokens; share it between replicas |
| PROMISE_FEEDBACK_DAYS | 7 | how long a feedback token is good for |
| PROMISE_EVENT_LOG | | JSON Lines file for exposures and feedback; absent: a Redis stream, or memory without Redis |
| PROMISE_API_KEYS | | file of the API keys that callers need, read anew when it changes; absent: nobody needs one |
| PROMISE_OVERRIDES | keys if there are any, else everyone | who may choose bucket, tier, strategy, explain; or nobody |
| PROMISE_ADMIN_TOKEN | | bearer token of /admin; absent: those routes are off |
| PROMISE_PLAYGROUND | true | the pages: GET /, /status, /web/… and the catalogue they search; false turns them off |
| PROMISE_TRACES | false | OpenTelemetry spans, exported as the OTEL_ variables say |
| PROMISE_LOG_FORMAT | json | json or console; on a terminal console unless set |
"""

import difflib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from service.errors import SettingsError

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # onnxruntime reports to its maker unless told before it loads

PREFIX = "PROMISE_"
SHIPPED_BUNDLE = Path(__file__).resolve().parent.parent / "models" / "bundles" / "beauty"


def _parts(value: object) -> object:
    """A comma-separated list as environment variables spell it."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


Paths = Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_parts), Field(min_length=1)]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_parts)]
Secret = Annotated[SecretStr, Field(min_length=8)]
Seconds = Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)]


class Settings(BaseSettings):
    """Everything a deployment may choose; see the table above."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", hide_input_in_errors=True, env_ignore_empty=True
    )

    host: str = "0.0.0.0"  # noqa: S104 - a container is reached from outside; PROMISE_HOST narrows it
    port: int = Field(default=8000, ge=0, le=65535)
    bundle: Paths = (SHIPPED_BUNDLE,)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int = Field(default=1, ge=1, le=256)
    cache_mb: int = Field(default=64, ge=0)
    redis_url: SecretStr | None = None
    redis_timeout_ms: float = Field(default=30, ge=1, le=10_000, allow_inf_nan=False)
    redis_confirm: int = Field(default=0, ge=0, le=10)
    cache_redis: bool = True
    cache_ttl_s: int = Field(default=86_400, ge=1, le=30 * 86_400)
    history_items: int = Field(default=1000, ge=1, le=100_000)
    history_days: int = Field(default=90, ge=1, le=3650)
    default_tier: str = "auto"
    default_strategy: str = "guided"
    auto_tiers: Names = ()
    target_ms: float = Field(default=50, gt=0, le=600_000, allow_inf_nan=False)
    max_batch: int = Field(default=32, ge=1, le=1024)
    batch_wait_ms: float = Field(default=2, ge=0, le=1000, allow_inf_nan=False)
    max_concurrent: int = Field(default=64, ge=1)
    max_body_bytes: int = Field(default=1 << 20, ge=1024)
    max_connections: int = Field(default=10_000, ge=16)
    read_timeout_s: float = Field(default=10, gt=0, le=3600, allow_inf_nan=False)
    request_timeout_ms: float = Field(default=2000, ge=1, le=600_000, allow_inf_nan=False)
    drain_s: Seconds = 5.0
    grace_s: Seconds = 10.0
    ab_header: str = Field(default="X-AB-Bucket", pattern=r"^[A-Za-z0-9-]{1,64}$")
    experiments: Path | None = None
    reload_s: float = Field(default=2, gt=0, le=3600, allow_inf_nan=False)
    feedback_secret: Secret | None = None
    feedback_days: int = Field(default=7, ge=1, le=90)
    event_log: Path | None = None
    api_keys: Path | None = None
    overrides: Literal["everyone", "keys", "nobody"] | None = None
    admin_token: Secret | None = None
    playground: bool = True
    traces: bool = False
    log_format: Literal["json", "console"] = "json"


def load(**overrides: Any) -> Settings:
    """Settings from the environment; `overrides` (from the command line) win over it.

    Raises:
        SettingsError: an unknown PROMISE_ variable or a value that does not fit.
    """
    _reject_unknown(os.environ)
    try:
        chosen = Settings(**overrides)
    except ValidationError as error:
        first = error.errors()[0]
        name = PREFIX + "_".join(map(str, first["loc"])).upper()
        raise SettingsError(f"{name} is not valid: {first['msg']}.") from None
    if chosen.overrides == "keys" and chosen.api_keys is None:
        raise SettingsError("PROMISE_OVERRIDES=keys needs a file of keys: set PROMISE_API_KEYS.")
    return chosen


def _reject_unknown(names: Iterable[str]) -> None:
    known = [PREFIX + field.upper() for field in Settings.model_fields]
    for name in names:
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            nearest = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.0)
            raise SettingsError(f"{name} is not a setting; the nearest known name is {nearest[0]}.")
