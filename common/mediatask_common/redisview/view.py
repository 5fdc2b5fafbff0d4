"""The fast view of tasks in Redis: a cache that can be rebuilt, and the event streams.

Writer (operator) and reader (API) live side by side here, because the layout is theirs alone:

- `mt:{ns}:task:<name>`     hash `rv`, `doc` (the resource without its task data), `keys` (the indexes that list it),
  `timed` (completion time of the run that `durations` has), `used` (what `usage` has of the task), `paid` (what
  `cost` has)
- `mt:{ns}:idx:<project>[:s=<phase>][:t=<type>][:g=<tag>]`  sorted set of names by creation time; `*` for all projects,
  which have none by tag
- `mt:{ns}:backlog:<type>:<priority>`  sorted set of the names of queued tasks whose time to start has come
- `mt:{ns}:names`           set of all names, for the rebuild
- `mt:{ns}:durations:<type>`  list of the run times of tasks that have completed, in seconds, newest first, bounded
- `mt:{ns}:ran:<type>|<class>`  the same of one class, counting only the time that is charged
- `mt:{ns}:usage:<project>:<day>`  hash of `n|<type>|<class>` (tasks that ended) and `g|<type>|<class>` (GPU time of
  theirs in milliseconds); tasks that were deleted since are among them
- `mt:{ns}:cost:<project>:<day>`  hash of `<currency>|<type>|<class>` to millionths: what the same tasks are charged
- `mt:{ns}:events:<name>`   stream of a task's events, bounded
- `mt:{ns}:reports:<project>`  stream of the reports of a project's jobs, bounded: what the API's processes follow
- `mt:{ns}:preview:<name>`  the latest preview of a running task
- `mt:{ns}:worker:<uid>`    what a pod reported last of its memory and GPUs, for a short while
- `mt:{ns}:fresh`           lives as long as an operator keeps the view current

An entry is written only over an older resourceVersion, so that late news never overwrites fresh news.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, cast

import orjson
from redis.asyncio import Redis

from mediatask_crds.task import Phase

from ..times import parse_time, seconds_between
from ..usage import Kind, Used, charged_seconds, used
from .connection import connect
from .documents import document, document_or_none, lenient, scheduled, slim
from .scripts import AFTER, COUNT, READ, SKIP, WRITE

FRESH_SECONDS = 15
EVENTS_KEPT = 500
EVENTS_TTL_SECONDS = 24 * 3600
REPORTS_KEPT = 2000
REPORTS_TTL_SECONDS = 3600
PREVIEW_TTL_SECONDS = 600
USAGE_SECONDS = 400 * 24 * 3600
TOMBSTONE_SECONDS = 3600
DURATIONS_KEPT = 21
"""Runs that speak for the duration of the next one."""
ALL_PROJECTS = "*"

Entry = tuple[str, str, str, str, dict[str, Any]]
"""A report: project, id, task, type, data."""
Entries = list[Entry]


class RedisView:
    """Writer and reader of one namespace's view.

    Every method raises RedisError when Redis is away; readers raise ValueError or RedisError for what no writer wrote.
    """

    def __init__(self, redis: Redis, namespace: str) -> None:
        self._redis = redis
        # The braces keep all keys of a namespace on one Redis Cluster slot: the script touches several.
        self._prefix = f"mt:{{{namespace}}}"

    @classmethod
    def open(cls, url: str, namespace: str) -> RedisView:
        """A view by Redis URL; connects on first use."""
        return cls(connect(url), namespace)

    def of(self, namespace: str) -> RedisView:
        """The view of another namespace, over the same connections."""
        return RedisView(self._redis, namespace)

    async def close(self) -> None:
        await self._redis.aclose()

    async def ping(self) -> None:
        """Raise RedisError when Redis does not answer."""
        await cast("Any", self._redis.ping())

    # ---- writer

    async def put(self, task: dict[str, Any]) -> bool:
        """Write a resource; False when the view has it as new or newer."""
        meta = task["metadata"]
        score = parse_time(meta["creationTimestamp"]).timestamp()
        phase = (task.get("status") or {}).get("phase") or Phase.QUEUED
        spec = task["spec"]
        keys = list(self._indexes(spec["projectId"], phase, spec["taskType"], spec.get("tags") or ()))
        if phase == Phase.QUEUED and not scheduled(task):
            keys.append(self._backlog(spec["taskType"], spec.get("priority", 5)))
        completed, duration = _run_time(task) if phase == Phase.COMPLETED else ("", 0.0)
        return await self._apply(
            meta,
            score,
            orjson.dumps(slim(task)),
            keys,
            self._measured(task),
            completed=completed,
            duration=duration,
            ran=charged_seconds(task) if completed else 0.0,
            usage=self._usage_of(task),
            cost=self._cost_of(task),
        )

    async def remove(self, task: dict[str, Any]) -> bool:
        """Forget a deleted resource, by its last version; a tombstone refuses news from before."""
        return await self._apply(task["metadata"], 0, b"", [], self._measured(task))

    async def renew_freshness(self, *, only_if_kept: bool = False) -> bool:
        """Tell readers for the next 15 s that the view is current.

        With `only_if_kept`: False, and readers are told nothing, when Redis no longer knows that it was current.
        One command decides: a loss between a look and a renewal would go unnoticed.
        """
        return bool(await self._redis.set(f"{self._prefix}:fresh", "1", ex=FRESH_SECONDS, xx=only_if_kept))

    async def drop_freshness(self) -> None:
        """Send readers to Kubernetes until the view is complete again."""
        await self._redis.delete(f"{self._prefix}:fresh")

    async def forget_all_but(self, names: set[str]) -> int:
        """End of a rebuild: remove entries that no longer exist in Kubernetes. The number removed is returned."""
        known = await cast("Any", self._redis.smembers(f"{self._prefix}:names"))
        gone = {name.decode() for name in known} - names
        for name in gone:
            hashed = f"{self._prefix}:task:{name}"
            keys = await cast("Any", self._redis.hget(hashed, "keys"))
            for key in (keys or b"").split(b"\n"):
                if key:
                    await self._redis.zrem(key, name)
            await self._redis.delete(hashed)
            await cast("Any", self._redis.srem(f"{self._prefix}:names", name))
        return len(gone)

    async def add_event(self, name: str, kind: str, data: dict[str, Any], project: str | None = None) -> None:
        """Append to a task's stream: started, progress, completed, ...; and to that of its project's reports."""
        fields: Any = {"type": kind, "task": name, "data": orjson.dumps(data)}
        keys = [(f"{self._prefix}:events:{name}", EVENTS_KEPT, EVENTS_TTL_SECONDS)]
        if project is not None:
            keys.append((self._reports(project), REPORTS_KEPT, REPORTS_TTL_SECONDS))
        async with self._redis.pipeline(transaction=False) as pipe:
            for key, kept, seconds in keys:
                pipe.xadd(key, fields, maxlen=kept, approximate=True)
                pipe.expire(key, seconds)
            await pipe.execute()

    async def put_preview(self, name: str, image: bytes) -> None:
        """Keep the latest preview of a task for a while."""
        await self._redis.set(f"{self._prefix}:preview:{name}", image, ex=PREVIEW_TTL_SECONDS)

    async def put_worker(self, uid: str, report: bytes, seconds: int) -> None:
        """Keep what a pod uses for so many seconds."""
        await self._redis.set(self._worker(uid), report, ex=seconds)

    # ---- reader

    async def fresh(self) -> bool:
        """Whether an operator keeps the view current."""
        return bool(await self._redis.exists(f"{self._prefix}:fresh"))

    async def get_many(self, names: Iterable[str]) -> Sequence[dict[str, Any] | None]:
        """Slim resources of tasks, in order; None for one that is not there, or that no writer wrote."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.hget(f"{self._prefix}:task:{name}", "doc")
            docs = await pipe.execute(raise_on_error=False)
        return [document_or_none(doc) for doc in docs]

    async def list(
        self,
        project: str = ALL_PROJECTS,
        *,
        phase: str | None = None,
        task_type: str | None = None,
        tag: str | None = None,
        start: int | tuple[float, str] = 0,
        limit: int = 20,
    ) -> tuple[list[dict[str, Any]], int, int]:
        """Some tasks of a project (or of all), newest first, how many there are, and how many come before these.

        Args:
            tag: only of one project.
            start: how many to leave out, or the creation time and name of the task after which to begin.
        """
        key = self._index(project, phase, task_type, tag)
        place, begin = ((start,), SKIP) if isinstance(start, int) else (start, AFTER)
        docs, total, offset = await cast("Any", self._redis.eval)(
            begin + READ, 1, key, limit, f"{self._prefix}:task:", *place
        )
        return [document(doc) for doc in docs if doc], total, offset

    async def counts(
        self, project: str, phases: Iterable[str], task_types: Iterable[str]
    ) -> dict[tuple[str, str], int]:
        """How many tasks of a project (or of all) are in each phase, by (phase, type)."""
        pairs = [(phase, task_type) for phase in phases for task_type in task_types]
        async with self._redis.pipeline(transaction=True) as pipe:
            for phase, task_type in pairs:
                pipe.zcard(self._index(project, phase, task_type))
            return dict(zip(pairs, await pipe.execute(), strict=True))

    async def queued(self, task_type: str, up_to_priority: int) -> int:
        """How many tasks of a type wait that are at least as urgent (0 is most urgent)."""
        keys = [self._backlog(task_type, priority) for priority in range(up_to_priority + 1)]
        return int(await cast("Any", self._redis.eval)(COUNT, len(keys), *keys))

    async def durations(self, task_type: str) -> tuple[float, ...]:
        """How long the last completed tasks of a type ran, in seconds from `startedAt` to `completedAt`, newest first.

        At most `DURATIONS_KEPT`, each run once; tasks that were deleted since are among them. Right after Redis has
        lost its data and the view is rebuilt, the order is arbitrary. Cheap: no task's document is read.
        """
        return await self._seconds(self._durations(task_type))

    async def ran(self, task_type: str, class_name: str) -> tuple[float, ...]:
        """How long the last completed tasks of a type and class ran as far as it is charged, in seconds, newest first.

        At most `DURATIONS_KEPT`.
        """
        return await self._seconds(self._ran(task_type, class_name))

    async def _seconds(self, key: str) -> tuple[float, ...]:
        found = cast("Any", await self._redis.lrange(key, 0, DURATIONS_KEPT - 1))
        return tuple(float(seconds) for seconds in found)

    async def usage(self, project: str, days: Sequence[str]) -> dict[Kind, Used]:
        """What a project's tasks that ended on these days have used. Cheap: no task's document is read."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for what in ("usage", "cost"):
                for day in days:
                    pipe.hgetall(f"{self._prefix}:{what}:{project}:{day}")
            found = await pipe.execute()
        totals: dict[Kind, Used] = {}
        for index, fields in enumerate(found):
            day = days[index % len(days)]
            for field, value in fields.items():
                what, task_type, class_name = field.decode().split("|")
                kind, number = Kind(day, task_type, class_name), int(value)
                totals[kind] = totals.get(kind, Used()) + _part(what, number)
        return {kind: amount for kind, amount in totals.items() if amount.tasks > 0}

    async def events(self, name: str, after: str = "0") -> AsyncIterator[tuple[str, str, dict[str, Any]]]:
        """A task's events after an id, as (id, type, data)."""
        entries = cast("Any", await self._redis.xrange(f"{self._prefix}:events:{name}", min=f"({after}"))
        for event_id, fields in entries:
            yield event_id.decode(), fields.get(b"type", b"").decode(), lenient(fields.get(b"data", b""))

    async def preview(self, name: str) -> bytes | None:
        """The latest preview of a task."""
        return cast("bytes | None", await self._redis.get(f"{self._prefix}:preview:{name}"))

    async def workers(self, uids: Sequence[str]) -> dict[str, bytes]:
        """What pods use, of those that have told it lately, by UID. At least one pod is asked for."""
        found = cast("Any", await self._redis.mget([self._worker(uid) for uid in uids]))
        return {uid: report for uid, report in zip(uids, found, strict=True) if report}

    async def before_now(self, seconds: float) -> str:
        """The id that an entry of a stream would have got so many seconds ago."""
        now, micro = await cast("Any", self._redis.time())
        return f"{max(int(now * 1000 + micro / 1000 - seconds * 1000), 0)}-0"

    async def reports(self, after: Mapping[str, str], block_seconds: float) -> Entries:
        """Reports of projects' jobs after an id each, as (project, id, task, type, data); waits for the first one."""
        projects = {self._reports(project): project for project in after}
        streams: Any = {self._reports(project): entry for project, entry in after.items()}
        found = await cast("Any", self._redis.xread(streams, count=500, block=max(int(block_seconds * 1000), 1)))
        found = found.items() if isinstance(found, dict) else found or ()
        return [
            (
                projects[key.decode()],
                entry.decode(),
                fields.get(b"task", b"").decode(),
                fields.get(b"type", b"").decode(),
                lenient(fields.get(b"data", b"")),
            )
            for key, entries in found
            for entry, fields in _flat(entries)
        ]

    # ---- layout

    async def _apply(
        self,
        meta: dict[str, Any],
        score: float,
        doc: bytes,
        keys: Iterable[str],
        measured: tuple[str, str],
        *,
        completed: str = "",
        duration: float = 0.0,
        ran: float = 0.0,
        usage: tuple[str, str, int] = ("", "", 0),
        cost: tuple[str, str, int] = ("", "", 0),
    ) -> bool:
        name = meta["name"]
        # EVAL, not EVALSHA: less than 1 kB more, and no second way for a Redis that has forgotten the script.
        written = await cast("Any", self._redis.eval)(
            WRITE, 4, f"{self._prefix}:task:{name}", f"{self._prefix}:names", *measured,
            meta["resourceVersion"], name, score, doc, TOMBSTONE_SECONDS, completed, duration, DURATIONS_KEPT,
            *usage, USAGE_SECONDS, ran, *cost, *keys,
        )  # fmt: skip
        return bool(written)

    def _indexes(self, project: str, phase: str, task_type: str, tags: Iterable[str]) -> Iterable[str]:
        for by_phase in (None, phase):
            for by_type in (None, task_type):
                yield self._index(ALL_PROJECTS, by_phase, by_type)
                for tag in (None, *tags):
                    yield self._index(project, by_phase, by_type, tag)

    def _reports(self, project: str) -> str:
        return f"{self._prefix}:reports:{project}"

    def _worker(self, uid: str) -> str:
        return f"{self._prefix}:worker:{uid}"

    def _usage_of(self, task: dict[str, Any]) -> tuple[str, str, int]:
        found = used(task)
        if found is None:
            return "", "", 0
        kind, amount = found
        key = f"{self._prefix}:usage:{task['spec']['projectId']}:{kind.day}"
        return key, f"{kind.task_type}|{kind.class_name}", round(amount.gpu_seconds * 1000)

    def _cost_of(self, task: dict[str, Any]) -> tuple[str, str, int]:
        """One task is charged in one currency."""
        found = used(task)
        if found is None or not found[1].costs:
            return "", "", 0
        kind, amount = found
        ((currency, millionths),) = amount.costs.items()
        key = f"{self._prefix}:cost:{task['spec']['projectId']}:{kind.day}"
        return key, f"{currency}|{kind.task_type}|{kind.class_name}", millionths

    def _measured(self, task: dict[str, Any]) -> tuple[str, str]:
        """The lists that keep how long the task ran."""
        task_type, class_name = task["spec"]["taskType"], (task.get("status") or {}).get("className") or ""
        return self._durations(task_type), self._ran(task_type, class_name)

    def _durations(self, task_type: str) -> str:
        return f"{self._prefix}:durations:{task_type}"

    def _ran(self, task_type: str, class_name: str) -> str:
        return f"{self._prefix}:ran:{task_type}|{class_name}"

    def _backlog(self, task_type: str, priority: int) -> str:
        return f"{self._prefix}:backlog:{task_type}:{priority}"

    def _index(self, project: str, phase: str | None, task_type: str | None, tag: str | None = None) -> str:
        filters = (("s", phase), ("t", task_type), ("g", tag))
        suffix = "".join(f":{name}={value}" for name, value in filters if value)
        return f"{self._prefix}:idx:{project}{suffix}"


def _part(what: str, number: int) -> Used:
    """What one field of a project's usage says: tasks, milliseconds, or millionths of a currency."""
    match what:
        case "n":
            return Used(tasks=number)
        case "g":
            return Used(gpu_seconds=number / 1000)
        case _:
            return Used(costs={what: number})


def _flat(entries: Any) -> Iterable[Any]:
    """The entries of one stream, as one protocol version of Redis or another nests them."""
    return entries[0] if len(entries) == 1 and isinstance(entries[0], list) else entries


def _run_time(task: dict[str, Any]) -> tuple[str, float]:
    """When a completed task ended and how many seconds it ran; ("", 0) where its status does not tell."""
    status = task["status"]
    seconds = seconds_between(status.get("startedAt"), status.get("completedAt"))
    return ("", 0.0) if seconds is None else (status["completedAt"], seconds)
