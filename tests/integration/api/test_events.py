"""Event streams through real replicas: two processes behind a TCP balancer, with a Redis server and without one."""

from __future__ import annotations

import asyncio
import base64
import io
import itertools
import random
import secrets
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from mediatask_api.dependencies import open_services
from mediatask_api.settings import ApiSettings
from mediatask_common.access.keysecret import KeysSecret
from mediatask_common.kube import SECRETS, TASKS, Kube
from mediatask_common.redisview import RedisView
from mediatask_common.settings import StoreSettings
from support.eventstream import EventStream, Message, balancer, open_events
from support.front import Replica, until
from support.redisserver import RunningRedis, redis_server

from .conftest import World, open_namespace
from .test_logs import set_pod
from .test_process import PATIENCE, process

ENDS = ("completed", "failed", "cancelled")


@dataclass
class Front:
    """Two replicas and the balancer."""

    url: str
    key: str
    replicas: list[Replica]
    world: World
    by_redis: bool = False
    tokens: dict[str, str] = field(default_factory=dict)

    def events(self, task_id: str, last_id: str | None = None, replica: int | None = None, **params: Any) -> Any:
        base = self.url if replica is None else f"http://127.0.0.1:{self.replicas[replica].port}"
        return open_events(f"{base}/api/v1/tasks/{task_id}/events", self.key, last_id, **params)

    def project(self, project: str, last_id: str | None = None, replica: int | None = None) -> Any:
        base = self.url if replica is None else f"http://127.0.0.1:{self.replicas[replica].port}"
        return open_events(f"{base}/api/v1/projects/{project}/events", self.key, last_id)

    async def running_task(self, **changes: Any) -> str:
        """A task whose job may report."""
        task_id = await self.world.submit(**changes)
        await self.world.set_status(task_id, phase="processing", attempt=1, progress=0.0)
        await self.token(task_id)
        return task_id

    async def token(self, task_id: str, attempt: int = 1) -> None:
        self.tokens[task_id] = await self.world.token(await self.world.pod(task_id, attempt))

    async def report(self, task_id: str, progress: float, step: str = "denoising", replica: int = 0) -> None:
        async with httpx.AsyncClient(timeout=PATIENCE) as client:
            answer = await client.post(
                f"http://127.0.0.1:{self.replicas[replica].internal}/internal/v1/tasks/{task_id}/progress",
                json={"attempt": 1, "progress": progress, "step": step},
                headers={"Authorization": f"Bearer {self.tokens[task_id]}"},
            )
        assert answer.status_code == 200, answer.text

    async def end(self, task_id: str, phase: str = "completed") -> None:
        await self.world.set_status(task_id, phase=phase, attempt=1, completedAt="2026-11-21T10:00:00Z")


Opened = Callable[..., Any]


@contextmanager
def two_replicas(
    folder: Path, kubeconfig: Path, namespace: str, redis: RunningRedis | None, **settings: str
) -> Iterator[tuple[str, list[Replica]]]:
    """Started side by side; their key, and where they are."""
    if redis is not None:
        settings["MEDIATASK_REDIS_URL"] = redis.url
    with ExitStack() as stack:
        started = []
        for name in ("a", "b"):
            (folder / name).mkdir()
            started.append(stack.enter_context(process(folder / name, kubeconfig, namespace, **settings)))  # type: ignore[arg-type]
        key = started[0][0].headers["X-API-Key"]
        yield key, [Replica(client.base_url.port or 0, internal, running) for client, internal, running in started]  # type: ignore[arg-type]


@pytest.fixture
def open_front(world: World, tmp_path: Path, kubeconfig: Path, namespace: str) -> Opened:
    """Opens replicas of the test's own, with settings of its choice."""

    @asynccontextmanager
    async def opened(redis: RunningRedis | None = None, **settings: str) -> AsyncIterator[Front]:
        async with AsyncExitStack() as stack:
            replicas = two_replicas(tmp_path, kubeconfig, namespace, redis, **settings)
            key, found = await asyncio.to_thread(stack.enter_context, replicas)
            url = await stack.enter_async_context(balancer([replica.port for replica in found]))
            yield Front(url, key, found, world, by_redis=redis is not None)

    return opened


@dataclass
class Shared:
    """Replicas that many tests use."""

    key: str
    replicas: list[Replica]
    namespace: str
    by_redis: bool


@pytest.fixture(scope="module", params=[True, False], ids=["redis", "no redis"])
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, kubeconfig: Path
) -> Iterator[Shared]:
    async def make() -> str:
        async with await Kube.connect(kubeconfig) as kube:
            made = open_namespace(kube)
            return await made.__aenter__()  # removed with the server

    namespace = asyncio.run(make())
    with ExitStack() as stack:
        redis = stack.enter_context(redis_server()) if request.param else None
        replicas = two_replicas(tmp_path_factory.mktemp("events"), kubeconfig, namespace, redis)
        yield Shared(*stack.enter_context(replicas), namespace, redis is not None)


@pytest.fixture
async def front(shared: Shared, kube: Kube, kubeconfig: Path, tmp_path: Path) -> AsyncIterator[Front]:
    name = f"keys-{secrets.token_hex(4)}"
    await kube.create(SECRETS, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}}, shared.namespace)
    store = StoreSettings(folder=tmp_path / "media")
    settings = ApiSettings(api_keys_secret=name, kubeconfig=kubeconfig, namespace=shared.namespace, store=store)
    async with (
        open_services(settings) as services,
        World(services, kube, shared.namespace) as world,
        balancer([replica.port for replica in shared.replicas]) as url,
    ):
        yield Front(url, shared.key, shared.replicas, world, by_redis=shared.by_redis)


def kinds(messages: list[Message]) -> list[str]:
    return [message.kind for message in messages]


async def test_a_task_is_told_from_its_present_state_to_its_end(front: Front) -> None:
    task_id = await front.world.submit()
    async with front.events(task_id, replica=0) as stream:
        assert stream.response.headers["content-type"].startswith("text/event-stream")
        first = await stream.next()
        assert (first.kind, first.data["status"], first.data["task_id"]) == ("queued", "queued", task_id)
        await front.world.set_status(task_id, phase="processing", attempt=1, progress=0.0)
        assert (await stream.next()).kind == "started"
        await front.token(task_id)
        await front.report(task_id, 0.25)
        told = await stream.next()
        assert (told.kind, told.data["progress"], told.data["current_step"]) == ("progress", 0.25, "denoising")
        error = {"code": "Boom", "message": "it broke", "retryable": True}
        await front.world.set_status(task_id, phase="failed", error=error, completedAt="2026-11-21T10:00:00Z")
        (end,) = await stream.all()
        assert (end.kind, end.data["error"]["code"]) == ("failed", "Boom")
    async with front.events(task_id, end.id, replica=1) as stream:
        assert stream.response.status_code == 204, "who has seen the end does not connect again"
    async with front.events(task_id, replica=1) as stream:
        assert await stream.all() == [end], "and every replica tells it under the same id"


async def test_a_reader_who_drops_fifty_times_sees_every_event_once_and_in_order(
    open_front: Opened, tmp_path: Path
) -> None:
    with redis_server() as redis:
        async with open_front(redis) as front:
            task_id = await front.world.submit()
            reports = 120

            async def work() -> None:
                await front.world.set_status(task_id, phase="processing", attempt=1, progress=0.0)
                await front.token(task_id)
                for number in range(1, reports + 1):
                    # Steps change at equal progress, too.
                    await front.report(task_id, (number // 2) / 100, f"step_{number}", replica=number % 2)
                await front.end(task_id)

            seen: list[Message] = []
            async with front.events(task_id) as stream:
                seen.append(await stream.next())
            working = asyncio.create_task(work())
            connections = 1
            while not seen or seen[-1].kind not in ENDS:
                connections += 1
                last_id = seen[-1].id if seen else None
                async with front.events(task_id, last_id, replica=connections % 2) as stream:
                    # Behind by what was told meanwhile, and then gone again.
                    wanted = 2 if connections <= 55 else 10_000
                    async for message in stream:
                        seen.append(message)
                        wanted -= 1
                        if not wanted:
                            break
            await working
            assert connections > 50
            assert kinds(seen) == ["queued", "started", *["progress"] * reports, "completed"]
            assert [m.data["current_step"] for m in seen[2:-1]] == [f"step_{n}" for n in range(1, reports + 1)]
            assert len({message.id for message in seen}) == len(seen)


async def test_without_redis_replicas_tell_the_same_ids_and_nothing_twice(open_front: Opened) -> None:
    async with open_front() as front:
        task_id = await front.running_task()
        seen: list[Message] = []
        for number in itertools.count(1):
            if number <= 50:
                await front.report(task_id, number / 100, f"step_{number}", replica=random.randrange(2))
            elif number == 51:
                await front.end(task_id)
            async with front.events(task_id, seen[-1].id if seen else None, replica=number % 2) as stream:
                try:
                    seen.append(await stream.next(0.5 if number <= 50 else 15))
                except TimeoutError:
                    continue
            if seen[-1].kind in ENDS:
                break
        assert kinds(seen)[-1] == "completed"
        assert len({message.id for message in seen}) == len(seen)
        progress = [message.data["progress"] for message in seen]
        assert progress == sorted(progress)


async def test_redis_killed_in_between_loses_no_end(open_front: Opened) -> None:
    with redis_server() as redis:
        async with open_front(redis) as front:
            tasks = [await front.running_task() for _ in range(6)]
            async with AsyncExitStack() as stack:
                streams: list[EventStream] = [
                    await stack.enter_async_context(front.events(task_id, replica=n % 2))
                    for n, task_id in enumerate(tasks)
                ]
                for stream in streams:
                    assert (await stream.next()).kind == "started"
                await front.report(tasks[0], 0.1)
                assert (await streams[0].next()).data["progress"] == 0.1
                redis.kill()
                await front.end(tasks[0])
                await front.report(tasks[2], 0.3)
                assert (await streams[2].next()).data["progress"] == 0.3, "the process that was told tells its readers"
                await front.end(tasks[1], "failed")
                assert (await streams[0].all())[-1].kind == "completed"
                assert (await streams[1].all())[-1].kind == "failed"
                redis.stop(losing_its_data=True)
                redis.start()
                for task_id in tasks[2:]:
                    await front.end(task_id)
                for stream in streams[2:]:
                    assert (await stream.all())[-1].kind == "completed"


async def test_a_replica_killed_in_between_loses_no_end(open_front: Opened) -> None:
    async with open_front() as front:
        tasks = [await front.running_task() for _ in range(8)]
        seen: dict[str, list[Message]] = {task_id: [] for task_id in tasks}

        async def follow(task_id: str) -> None:
            messages = seen[task_id]
            while not messages or messages[-1].kind not in ENDS:
                try:
                    async with front.events(task_id, messages[-1].id if messages else None) as stream:
                        async for message in stream:
                            messages.append(message)
                except httpx.TransportError:
                    continue

        following = [asyncio.create_task(follow(task_id)) for task_id in tasks]

        async def all_have_begun() -> bool:
            return all(seen.values())

        await until(all_have_begun, PATIENCE)
        front.replicas[0].running.send_signal(signal.SIGKILL)
        for task_id in tasks:
            await front.report(task_id, 0.5, replica=1)
            await front.end(task_id)
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*following)
        for messages in seen.values():
            assert messages[-1].kind == "completed"
            assert len({message.id for message in messages}) == len(messages)


async def test_a_retry_goes_on_after_the_end(front: Front) -> None:
    task_id = await front.running_task()
    await front.end(task_id, "failed")
    async with front.events(task_id) as stream:
        (failed,) = await stream.all()
    assert (await front.world.api.post(f"/tasks/{task_id}/retry")).status_code == 202
    async with front.events(task_id, failed.id, replica=1) as stream:
        assert (await stream.next()).kind == "queued"
        await front.world.set_status(task_id, phase="processing", attempt=2, round=1, progress=0.0)
        started = await stream.next()
        assert (started.kind, started.data["attempt"]) == ("started", 2)
        await front.world.set_status(task_id, phase="completed", completedAt="2026-11-21T10:00:00Z")
        assert kinds(await stream.all()) == ["completed"]


@pytest.mark.parametrize("last_id", ["x", "ffffffff.0.1.2.5.5", "0" * 5000, "9.9.9.9.9.9", "-1"])
async def test_an_id_that_nobody_knows_gives_the_present_state(front: Front, last_id: str) -> None:
    task_id = await front.running_task()
    async with front.events(task_id, last_id) as stream:
        assert (await stream.next()).kind == "started"
        await front.end(task_id)
        assert kinds(await stream.all()) == ["completed"]


async def test_a_project_is_told_on_every_replica_and_resumes_on_another(front: Front) -> None:
    running = await front.running_task(project_id="series")
    other = await front.world.submit(project_id="other")
    async with front.project("series", replica=0) as stream:
        first = await stream.next()
        assert (first.kind, first.data["task_id"]) == ("started", running)
        await front.report(running, 0.5, replica=1)
        if front.by_redis:
            assert (await stream.next()).data["progress"] == 0.5
        new = await front.world.submit(project_id="series")
        while (queued := await stream.next()).kind == "progress":
            assert queued.data["task_id"] == running
        assert (queued.kind, queued.data["task_id"]) == ("queued", new)
    await front.end(other)
    await front.end(running)
    await front.world.set_status(new, phase="cancelled", completedAt="2026-11-21T10:00:00Z")
    # A replica that has not watched until now asks the API server for what was before.
    async with front.project("series", queued.id, replica=1) as stream:
        told = {message.data["task_id"]: message.kind for message in [await stream.next(), await stream.next()]}
        assert told == {running: "completed", new: "cancelled"}


def once(messages: list[Message]) -> dict[str, list[Message]]:
    """Events of a project's stream by task, without what came again: as the documents tell readers to do."""
    found: dict[str, list[Message]] = {}
    reached: dict[str, list[int]] = {}
    for message in messages:
        task_id, (_, *numbers) = message.data["task_id"], message.data["event_id"].split(".")
        position = [int(number) for number in numbers]
        if position > reached.get(task_id, []):
            reached[task_id] = position
            found.setdefault(task_id, []).append(message)
    return found


async def test_who_drops_a_projects_stream_again_and_again_misses_no_change_of_state(front: Front) -> None:
    project, count = f"series-{secrets.token_hex(2)}", 10
    tasks: list[str] = []

    async def work() -> None:
        for number in range(count):
            task_id = await front.world.submit(project_id=project)
            tasks.append(task_id)
            token = asyncio.create_task(front.token(task_id))
            if number % 2:  # the job is at times faster than the news that it runs
                await token
                await front.report(task_id, 0.1, replica=number % 2)
            await front.world.set_status(task_id, phase="processing", attempt=1, progress=0.0)
            await token
            for progress in (0.2, 0.3):
                await front.report(task_id, progress, replica=number % 2)
            await front.end(task_id)

    seen: list[Message] = []

    def ended() -> int:
        return len({message.data["task_id"] for message in seen if message.kind in ENDS})

    async with front.project(project, replica=0) as stream:
        before = await front.world.submit(project_id=project)
        last_id = (await stream.next(PATIENCE)).id
    working = asyncio.create_task(work())
    connections = 0
    while ended() < count:
        connections += 1
        wanted = 1 if connections <= 25 else 10_000
        async with front.project(project, last_id, replica=connections % 2) as stream:
            while wanted and ended() < count:
                message = await stream.next(PATIENCE)
                seen.append(message)
                last_id = message.id or last_id
                wanted -= 1
    await working
    told = once(seen)
    assert set(told) - {before} == set(tasks)
    for task_id in tasks:
        states = [message.kind for message in told[task_id] if message.kind != "progress"]
        assert states == ["queued", "started", "completed"]
    changes = [message.data["event_id"] for message in seen if message.id and message.kind != "progress"]
    assert len(changes) == len(set(changes)), "what has an id comes once"


async def test_other_peoples_tasks_and_projects_have_no_stream(front: Front) -> None:
    task_id = await front.world.submit()
    stranger = await front.world.caller("elsewhere")
    for path in (f"/tasks/{task_id}/events", "/projects/film/events", "/tasks/none/events"):
        answer = await stranger.get(path)
        assert answer.status_code == 404, path


async def test_a_revoked_key_loses_its_streams(open_front: Opened) -> None:
    async with open_front() as front:
        task_id = await front.running_task()
        async with front.events(task_id, replica=0) as one, front.project("film", replica=1) as two:
            assert (await one.next()).kind == (await two.next()).kind == "started"
            keys = KeysSecret(front.world.kube, front.world.namespace)
            await front.world.kube.delete(SECRETS, keys.name, front.world.namespace)
            for stream in (one, two):
                (last,) = await stream.all(5)
                assert (last.kind, last.data["reason"]) == ("closed", "access_ended")


async def test_a_replica_that_drains_sends_its_readers_away_and_nothing_is_lost(open_front: Opened) -> None:
    async with open_front() as front:
        task_id = await front.running_task()
        async with front.events(task_id, replica=0) as stream:
            first = await stream.next()
            front.replicas[0].running.send_signal(signal.SIGTERM)
            (last,) = await stream.all()
            assert last.data["reason"] == "draining"
        await front.end(task_id)
        async with front.events(task_id, first.id) as stream:
            assert kinds(await stream.all()) == ["completed"]
        assert await asyncio.to_thread(front.replicas[0].running.wait, PATIENCE) == 0


async def test_streams_are_capped_and_their_places_come_back(open_front: Opened) -> None:
    async with open_front(MEDIATASK_MAX_EVENT_STREAMS_PER_KEY="2") as front:
        task_id = await front.running_task()
        async with front.events(task_id, replica=0) as one, front.events(task_id, replica=0) as two:
            assert (await one.next()).kind == (await two.next()).kind == "started"
            async with front.events(task_id, replica=0) as three:
                assert three.response.status_code == 429

        async def room() -> bool:
            async with front.events(task_id, replica=0) as stream:
                return stream.response.status_code == 200

        await until(room, PATIENCE)


async def test_silence_is_filled_with_heartbeats_and_no_stream_lasts_for_ever(open_front: Opened) -> None:
    async with open_front(MEDIATASK_EVENT_HEARTBEAT_SECONDS="0.1", MEDIATASK_EVENT_STREAM_SECONDS="3") as front:
        task_id = await front.running_task()
        async with front.events(task_id) as stream:
            messages = await stream.all()
            assert messages[-1].data["reason"] == "time_limit"
            assert stream.comments


async def test_a_deleted_task_ends_its_stream(front: Front) -> None:
    task_id = await front.running_task()
    async with front.events(task_id) as stream:
        await stream.next()
        await front.world.kube.delete(TASKS, task_id, front.world.namespace)
        (last,) = await stream.all()
        assert last.data["reason"] == "deleted"


async def test_what_nobody_wrote_in_redis_is_passed_over(open_front: Opened) -> None:
    with redis_server() as redis:
        async with open_front(redis) as front:
            task_id = await front.running_task()
            view = RedisView.open(redis.url, front.world.namespace)
            async with front.events(task_id) as stream:
                first = await stream.next()
                for odd in ({}, {"uid": 1}, {"uid": first.id[:8], "progress": "x"}, {"position": [1]}):
                    await view.add_event(task_id, "progress", odd, "film")
                    await view.add_event(task_id, "completed", odd, "film")
                await front.report(task_id, 0.4)
                assert (await stream.next()).data["progress"] == 0.4
            await view.close()
            async with front.events(task_id, first.id) as stream:
                assert (await stream.next()).data["progress"] == 0.4


async def test_who_hears_of_an_end_gets_the_result(open_front: Opened) -> None:
    """Status answers come from the view in Redis, which an operator writes a moment later, or here not at all."""
    with redis_server() as redis:
        async with open_front(redis) as front, httpx.AsyncClient(headers={"X-API-Key": front.key}) as caller:
            view = RedisView.open(redis.url, front.world.namespace)
            task_id = await front.running_task()
            await view.put(await front.world.kube.get(TASKS, task_id, front.world.namespace))
            await view.renew_freshness()
            async with front.project("film", replica=0) as stream:
                assert (await stream.next()).kind == "started"
                await front.end(task_id)
                assert (await stream.next()).kind == "completed"
            for replica in front.replicas:
                url = f"http://127.0.0.1:{replica.port}/api/v1/tasks/{task_id}/status"
                assert (await caller.get(url, timeout=PATIENCE)).json()["status"] == "completed"
            await view.close()


async def test_previews_come_to_those_who_ask_once_they_have_been_looked_at(front: Front) -> None:
    task_id = await front.running_task()
    picture = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(picture, "JPEG")
    body = {"attempt": 1, "progress": 0.2, "step": "draw", "image": base64.b64encode(picture.getvalue()).decode()}
    url = f"http://127.0.0.1:{front.replicas[0].internal}/internal/v1/tasks/{task_id}/preview"
    headers = {"Authorization": f"Bearer {front.tokens[task_id]}"}
    async with (
        httpx.AsyncClient(timeout=PATIENCE) as job,
        # Without Redis only the replica that is told has it.
        front.events(task_id, replica=1 if front.by_redis else 0, include="preview") as wanted,
        front.events(task_id, replica=0) as plain,
    ):
        assert (await wanted.next()).kind == (await plain.next()).kind == "started"
        hostile = base64.b64encode(picture.getvalue() + b"<script>").decode()
        assert (await job.post(url, json={**body, "image": hostile}, headers=headers)).status_code == 400
        assert (await job.post(url, json=body, headers=headers)).status_code == 200
        shown = await wanted.next()
        assert (shown.kind, shown.data["content_type"]) == ("preview", "image/jpeg")
        assert shown.data["image"] == body["image"]
        await front.end(task_id)
        assert kinds(await plain.all()) == ["completed"]
    async with front.events(task_id, shown.id, include="preview") as again:
        assert kinds(await again.all()) == ["completed"], "who has seen a preview goes on after it"


async def test_the_log_comes_as_events_where_it_is_asked_for(front: Front, tmp_path: Path) -> None:
    task_id = await front.world.submit()
    await front.world.set_status(task_id, phase="processing", attempt=1, progress=0.0)
    log = tmp_path / "pod.log"
    log.write_text("first\nsecond \x1b[2J\n")
    pod = await front.world.pod(task_id, nodeName="node")
    await set_pod(front.world, pod, "Running", log)
    async with front.events(task_id, include="log") as stream:
        assert (await stream.next()).kind == "started"
        lines = [await stream.next(), await stream.next()]
        assert [line.kind for line in lines] == ["log", "log"]
        assert lines[0].data["line"] == "first"
        assert "\x1b" not in lines[1].data["line"]
        assert lines[0].id is None
