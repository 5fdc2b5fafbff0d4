"""Connections to Redis: few, shared, and given up soon."""

from __future__ import annotations

from redis.asyncio import BlockingConnectionPool, Redis
from redis.driver_info import DriverInfo
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

UNREACHABLE = (RedisConnectionError, RedisTimeoutError, OSError)
"""What is raised where Redis does not answer; every other failure is about what it holds."""
CONNECTIONS = 32
"""Most connections of one process: many calls share one in turn, since each takes a fraction of a millisecond."""
CONNECTION_WAIT_SECONDS = 1.0
"""Longest wait for one of them."""

_DRIVER = DriverInfo()
"""Made once: by itself each new connection looks up the library's version on the disk, which takes a millisecond."""


def connect(url: str, connections: int = CONNECTIONS) -> Redis:
    """A client by Redis URL, which gives up soon: nobody waits for a cache. Connects on first use."""
    pool = BlockingConnectionPool.from_url(
        url,
        driver_info=_DRIVER,
        max_connections=connections,
        timeout=CONNECTION_WAIT_SECONDS,
        socket_connect_timeout=2,
        socket_timeout=5,
    )
    return Redis.from_pool(pool)
