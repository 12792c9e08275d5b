"""A real redis-server for tests (fixtures `redis_server` and `redis` are in conftest.py), and a slow way to it."""

from loadtest.bench.proxy import DelayProxy
from loadtest.bench.redis_server import RedisError, RedisServer, free_port, talk

__all__ = ["DelayProxy", "RedisError", "RedisServer", "free_port", "talk"]
