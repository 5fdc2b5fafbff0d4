"""The fast view of tasks in Redis."""

from redis.exceptions import RedisError

from .connection import UNREACHABLE, connect
from .documents import scheduled, slim
from .view import ALL_PROJECTS, RedisView

__all__ = ["ALL_PROJECTS", "UNREACHABLE", "RedisError", "RedisView", "connect", "scheduled", "slim"]
