"""The Redis view, kept behind the resource: written after it, rebuilt at will, never in the way.

Level-triggered like everything else: a task's key is marked, and whatever the cache then holds is written; a write
that fails leaves the key marked. After any failure the view is rebuilt before readers are told again that it is
current, since nobody knows what a Redis that was away has forgotten.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from mediatask_common.logging import get_logger
from mediatask_common.redisview import RedisError, RedisView
from mediatask_common.redisview.view import FRESH_SECONDS
from mediatask_common.times import rfc3339, utcnow

from ..objects import Key, Object
from ..watching.cache import Cache

log = get_logger(__name__)

RENEW_SECONDS = 5.0
RETRY_SECONDS = 1.0
BATCH = 100
"""Entries that are written side by side."""
EVENTS_BACKLOG = 10_000
"""Stream events that may wait for a Redis that is away; the oldest go first."""


@dataclass(frozen=True)
class StreamEvent:
    """An entry of a task's event stream."""

    key: Key
    kind: str
    data: dict[str, Any]


class RedisWriter:
    """Writes the view of every namespace that has tasks, and of those that are always served."""

    def __init__(self, redis: Redis, cache: Cache, namespaces: list[str]) -> None:
        """Namespaces that are served always have a view that is kept current, even while it is empty."""
        self._redis = redis
        self._cache = cache
        self._views: dict[str, RedisView] = {}
        self._marked: set[Key] = set()
        self._removed: dict[Key, Object] = {}
        self._events: deque[StreamEvent] = deque(maxlen=EVENTS_BACKLOG)
        self._news = asyncio.Event()
        self._complete = False
        self._renewed: dict[str, float] = {}
        """When each namespace's freshness was last renewed, by the loop's clock."""
        for namespace in namespaces:
            self._view(namespace)

    def mark(self, key: Key) -> None:
        """The task has changed."""
        self._marked.add(key)
        self._news.set()

    def remove(self, key: Key, last: Object) -> None:
        """The task is gone; `last` is its last version."""
        self._removed[key] = last
        self.mark(key)

    def tell(self, key: Key, kind: str, data: dict[str, Any]) -> None:
        """Append to the task's event stream: started, completed, ..."""
        self._events.append(StreamEvent(key, kind, {"at": rfc3339(utcnow(), micro=True), **data}))
        self._news.set()

    async def run(self) -> None:
        """Keep the view current until cancelled."""
        loop, this = asyncio.get_running_loop(), asyncio.current_task()
        renew_at = loop.time()
        # The Redis client waits by asyncio.wait_for, which before Python 3.12 may swallow a cancellation.
        while this is None or not this.cancelling():
            try:
                if not self._complete:
                    await self._rebuild()
                await self._write_news()
                if loop.time() >= renew_at:
                    if not await self._renew(loop.time()):
                        log.warning("redis has lost the view, rebuilding it")
                        self._complete = False
                        continue
                    renew_at = loop.time() + RENEW_SECONDS
                self._news.clear()
                if not self._marked and not self._events:
                    await self._wait(renew_at - loop.time())
            except RedisError as error:
                log.warning("redis is away, the view waits", error=repr(error))
                self._complete = False
                await asyncio.sleep(RETRY_SECONDS)

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def _rebuild(self) -> None:
        tasks = list(self._cache.tasks())
        names: dict[str, set[str]] = {namespace: set() for namespace in self._views}
        for task in tasks:
            meta = task["metadata"]
            names.setdefault(meta["namespace"], set()).add(meta["name"])
        for start in range(0, len(tasks), BATCH):
            batch = tasks[start : start + BATCH]
            await asyncio.gather(*(self._view(task["metadata"]["namespace"]).put(task) for task in batch))
        for namespace, known in names.items():
            await self._view(namespace).forget_all_but(known)
        self._renewed.clear()
        self._complete = True
        log.info("view rebuilt", tasks=len(tasks))

    async def _write_news(self) -> None:
        while self._marked:
            batch = list(self._marked)[:BATCH]
            await asyncio.gather(*(self._write(key) for key in batch))
        while self._events:
            event = self._events[0]
            await self._view(event.key[0]).add_event(event.key[1], event.kind, event.data)
            self._events.popleft()

    async def _write(self, key: Key) -> None:
        self._marked.discard(key)
        task, gone = self._cache.get(key).task, self._removed.get(key)
        try:
            if gone is not None:
                await self._view(key[0]).remove(gone)
                self._removed.pop(key, None)
            if task is not None:
                await self._view(key[0]).put(task)
        except RedisError:
            self._marked.add(key)
            raise

    async def _renew(self, now: float) -> bool:
        """False when a freshness key is gone that cannot have run out: who knows what Redis has lost besides."""
        for name, view in self._views.items():
            recent = name in self._renewed and now - self._renewed[name] < FRESH_SECONDS
            if not await view.renew_freshness(only_if_kept=recent):
                return False
            self._renewed[name] = now
        return True

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(max(seconds, 0.01)):
                await self._news.wait()
        except TimeoutError:
            return

    def _view(self, namespace: str) -> RedisView:
        if namespace not in self._views:
            self._views[namespace] = RedisView(self._redis, namespace)
        return self._views[namespace]
