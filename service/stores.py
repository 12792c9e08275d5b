"""What keeps things, as the settings say: in Redis, in files, or in this process."""

import secrets
from collections.abc import Callable

from service.cache.encodings import EncodingCache
from service.cache.memory import MemoryCache
from service.cache.redis import connect
from service.cache.remote import Remote
from service.experiments.events import EventLog, MemoryLog
from service.experiments.jsonl import JsonlLog
from service.experiments.stream import RedisLog
from service.histories.memory import MemoryHistories
from service.histories.protocol import HistoryStore
from service.histories.redis import RedisHistories
from service.settings import Settings


def remote(settings: Settings) -> Remote | None:
    """Redis, if there is to be one; it need not answer.

    Raises:
        SettingsError: the URL cannot be one.
    """
    if settings.redis_url is None:
        return None
    return connect(settings.redis_url.get_secret_value(), settings.redis_timeout_ms / 1000)


def cache(settings: Settings, remote: Remote | None) -> EncodingCache:
    """Encodings in this process and in Redis, whichever of the two is switched on."""
    memory = MemoryCache(settings.cache_mb << 20) if settings.cache_mb else None
    return EncodingCache(memory, remote if settings.cache_redis else None, settings.cache_ttl_s)


def cache_tiers(settings: Settings) -> tuple[str, ...]:
    """The tiers that `cache` asks, in their order."""
    in_redis = settings.redis_url is not None and settings.cache_redis
    return (*(("memory",) if settings.cache_mb else ()), *(("redis",) if in_redis else ()))


def histories(settings: Settings, remote: Remote | None) -> HistoryStore:
    """Stored histories: in Redis where there is one, so that all replicas know them."""
    secret = settings.feedback_secret.get_secret_value().encode() if settings.feedback_secret else b""
    if remote is None:
        return MemoryHistories(settings.history_items, settings.history_days, secret=secret)
    return RedisHistories(remote, settings.history_items, settings.history_days, secret, settings.redis_confirm)


def events(settings: Settings, remote: Remote | None, on_error: Callable[[str], None]) -> EventLog:
    """Where exposures and feedback go: a file if one is named, else Redis, else memory.

    Raises:
        SettingsError: the file cannot be opened.
    """
    if settings.event_log is not None:
        return JsonlLog(settings.event_log, on_error=on_error)
    return MemoryLog() if remote is None else RedisLog(remote, on_error=on_error)


def secret(settings: Settings) -> bytes:
    """Without a secret of its own every process signs with another one: its tokens end with it."""
    given = settings.feedback_secret
    return secrets.token_bytes(32) if given is None else given.get_secret_value().encode()
