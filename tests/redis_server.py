"""A real redis-server for tests (fixtures `redis_server` and `redis` are in conftest.py), sets of them, a slow way."""

from loadtest.bench.proxy import DelayProxy
from loadtest.bench.redis_cluster import ClusterSet
from loadtest.bench.redis_server import RedisError, RedisServer, free_port, free_ports, talk
from loadtest.bench.redis_sets import SentinelSet

__all__ = ["ClusterSet", "DelayProxy", "RedisError", "RedisServer", "SentinelSet", "free_port", "free_ports", "talk"]
