"""Media in a real PayloadCMS: one document per task, the right file and project, whatever breaks off on the way."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from mediatask_common.settings import StoreSettings
from mediatask_common.store import ArtifactStore, artifact_key, open_store
from mediatask_common.times import parse_time
from mediatask_crds.podcontract import Artifact, JobResult, TerminationMessage
from mediatask_operator.deciding.observation import Published, Registration, Task
from mediatask_operator.deciding.plan import RegisterMedia
from mediatask_operator.deciding.reasons import Reason
from mediatask_operator.deciding.registration import RegistrationPolicy
from mediatask_operator.effects.payload.client import ANSWER_LIMIT, PayloadClient
from mediatask_operator.effects.payload.recovery import Recovery
from mediatask_operator.effects.payload.register import RegisterInPayload
from mediatask_operator.main import payload_client
from mediatask_operator.metrics import Metrics
from mediatask_operator.settings import PayloadSettings
from support.payload.faults import Fault, by_chance, faulty
from support.payload.server import RunningPayload, payload_server
from support.receivers import receiver
from support.taskworld import World, a_task, run_pod

TASKS = int(os.environ.get("MEDIATASK_PAYLOAD_TASKS", "60"))
"""Tasks of the test with faults; `make payload-faults` takes 1,000."""
PICTURE = b"\x00\x01 not really a film " * 50


@pytest.fixture(scope="module")
def payload(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPayload]:
    with payload_server(tmp_path_factory.mktemp("payload")) as server:
        yield server


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return open_store(StoreSettings(folder=tmp_path))


class Life:
    """A task that has completed, from then on."""

    def __init__(self, store: ArtifactStore, name: str, content: bytes = PICTURE, **spec: Any) -> None:
        self.store = store
        self.content = content
        self.world = World(task=a_task(**spec), registering=RegistrationPolicy())
        digest = hashlib.sha256(content).hexdigest()
        uid = hashlib.sha256(f"{name}{digest}".encode()).hexdigest()
        self.world.task["metadata"] |= {"name": name, "uid": uid}
        project = self.world.task["spec"]["projectId"]
        media = Artifact(
            name="clip.mp4",
            key=artifact_key(project, uid, 1, "clip.mp4"),
            sha256=digest,
            bytes=len(content),
            content_type="video/mp4",
        )
        self.key = media.key
        result = JobResult(artifacts=[media], metadata={"width": 64})
        words = TerminationMessage(result=result).model_dump_json(exclude_none=True)
        world = self.world
        world.end(run_pod(world), 0, message=words, reason="Completed")
        world.reconcile()
        world.proof = Published(result, None)
        world.settle()

    async def stored(self) -> Life:
        await self.store.create(self.key, self.content, "video/mp4")
        return self

    @property
    def task(self) -> Task:
        return Task.parse(self.world.task)

    @property
    def action(self) -> RegisterMedia:
        return self.world.registrations[-1]

    def learns(self, outcome: Registration | None) -> None:
        """The outcome goes to the status, and time passes until the next try is due."""
        assert outcome is not None
        self.world.registration = outcome
        self.world.settle()
        due = self.world.status["registration"].get("nextAttemptAt")
        if due is not None:
            self.world.now = max(self.world.now, parse_time(due))
            self.world.settle()

    @property
    def media_id(self) -> str | None:
        found: str | None = self.world.status["result"].get("payloadMediaId")
        return found


@asynccontextmanager
async def effect(
    store: ArtifactStore, settings: PayloadSettings, recovery: Recovery | None = None
) -> AsyncIterator[RegisterInPayload]:
    """The effect as the operator makes it."""
    client = payload_client(settings, Metrics())
    assert client is not None

    async def data(task: Task) -> dict[str, Any]:
        return {"prompt": f"what {task.name} shows"}

    try:
        yield RegisterInPayload(client, settings, store, data, Metrics(), recovery or Recovery(list, lambda *_: None))
    finally:
        await client.close()


async def try_once(life: Life, settings: PayloadSettings) -> Registration:
    async with effect(life.store, settings) as register:
        outcome = await register.run(life.task, life.action)
    assert outcome is not None
    return outcome


def named(payload: RunningPayload, name: str) -> list[dict[str, Any]]:
    """The documents of a task."""
    return [document for document in payload.documents() if document["task_id"] == name]


# ---- the document


async def test_the_media_becomes_a_document_with_the_mapped_fields(
    payload: RunningPayload, store: ArtifactStore
) -> None:
    project = payload.create("projects", slug="noir")
    life = await Life(store, "mapped", projectId="noir").stored()
    fields = {
        "alt": "{task_data.prompt} ({result.metadata.width} px)",
        "project_id": "{project_id}",
        "production": "{project}",
        "width_px": "{result.metadata.width}",
    }
    life.learns(await try_once(life, payload.settings(fields=fields)))
    (document,) = named(payload, "mapped")
    assert life.media_id == str(document["id"])
    assert life.world.holds("Registered")
    assert (document["alt"], document["project_id"]) == ("what mapped shows (64 px)", "noir")
    assert (document["production"], document["width_px"]) == (project["id"], 64)
    assert (document["mimeType"], document["filename"]) == ("video/mp4", f"mapped-{life.task.uid[:8]}.mp4")
    assert payload.content(document) == PICTURE


async def test_a_second_try_finds_the_document_of_the_first(payload: RunningPayload, store: ArtifactStore) -> None:
    life = await Life(store, "again").stored()
    first, second = await try_once(life, payload.settings()), await try_once(life, payload.settings())
    assert first.media_id == second.media_id is not None
    assert len(named(payload, "again")) == 1
    assert len([name for name in payload.files() if name.startswith("again-")]) == 1


async def test_of_tries_at_the_same_moment_one_creates_and_all_find(
    payload: RunningPayload, store: ArtifactStore
) -> None:
    life = await Life(store, "race").stored()
    outcomes = await asyncio.gather(*(try_once(life, payload.settings()) for _ in range(8)))
    (document,) = named(payload, "race")
    assert {outcome.media_id for outcome in outcomes} == {str(document["id"])}


async def test_another_document_of_the_same_task_id_is_not_taken_for_it(
    payload: RunningPayload, store: ArtifactStore
) -> None:
    await try_once(await Life(store, "namesake").stored(), payload.settings())
    life = await Life(store, "namesake", PICTURE + b"!").stored()
    outcome = await try_once(life, payload.settings())
    assert (outcome.media_id, outcome.reason, outcome.permanent) == (None, Reason.DOCUMENT_MISMATCH, True)
    assert len(named(payload, "namesake")) == 1


async def test_a_relation_to_a_project_that_is_not_there_is_told(payload: RunningPayload, store: ArtifactStore) -> None:
    life = await Life(store, "lonely", projectId="nobody").stored()
    outcome = await try_once(life, payload.settings(fields={"alt": "x", "production": "{project}"}))
    assert (outcome.reason, outcome.permanent) == (Reason.PAYLOAD_REFUSED, True)
    assert "no document whose slug is nobody" in outcome.error
    assert not named(payload, "lonely")


# ---- refusals and faults


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"api_key": "not-the-key-at-all"}, "403"),
        ({"auth_collection": "Users"}, "403"),
        ({"collection": "nowhere"}, "404"),
        ({"fields": {"project_id": "{project_id}"}}, "400"),
    ],
    ids=["key", "collection of the user", "collection", "a required field"],
)
async def test_what_payload_refuses_is_told_without_the_key(
    payload: RunningPayload, store: ArtifactStore, changes: dict[str, Any], told: str
) -> None:
    life = await Life(store, "refused").stored()
    settings = payload.settings(**changes)
    outcome = await try_once(life, settings)
    assert (outcome.media_id, outcome.reason, outcome.permanent) == (None, Reason.PAYLOAD_REFUSED, True)
    assert f"PayloadCMS answered {told}" in outcome.error
    assert settings.api_key is not None
    assert settings.api_key.get_secret_value() not in outcome.error
    assert not named(payload, "refused")


async def test_media_that_is_not_in_the_store_is_told(payload: RunningPayload, store: ArtifactStore) -> None:
    outcome = await try_once(Life(store, "no-media"), payload.settings())
    assert (outcome.reason, outcome.permanent) == (Reason.MEDIA_UNREADABLE, True)
    assert not named(payload, "no-media")


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.NONE], ids=lambda fault: fault.name)
async def test_a_fault_of_each_request_leaves_one_document(
    payload: RunningPayload, store: ArtifactStore, fault: Fault
) -> None:
    """The first look-up meets it, and the first creation; it is tried until it works."""
    name = f"fault-{fault.name.lower().replace('_', '-')}"
    life = await Life(store, name).stored()
    met: set[str] = set()

    def choose(request: web.Request) -> Fault:
        first = request.method not in met
        met.add(request.method)
        return fault if first else Fault.NONE

    async with faulty(payload.url, choose) as proxy, asyncio.timeout(120):
        settings = payload.settings(api_url=proxy.url, timeout_seconds=1.5)
        async with effect(store, settings) as register:
            while life.media_id is None:
                life.learns(await register.run(life.task, life.action))
    assert proxy.done[fault] == 2
    assert life.action.number > 1
    (document,) = named(payload, name)
    assert life.media_id == str(document["id"])


async def test_with_faults_and_kills_each_task_has_one_document(
    payload: RunningPayload, store: ArtifactStore, capsys: pytest.CaptureFixture[str]
) -> None:
    """30 % of the requests fail, every tenth try is killed at some moment, and PayloadCMS is killed half-way."""
    chance = random.Random(7)
    lives = [
        await Life(store, f"many-{number}", b"film %d " % number * (50 + number), projectId=f"p{number % 7}").stored()
        for number in range(TASKS)
    ]
    room, half, tries, kills = asyncio.Semaphore(8), asyncio.Event(), 0, 0

    async def to_the_end(life: Life, register: RegisterInPayload) -> None:
        nonlocal tries, kills
        while life.media_id is None:
            async with room:
                tries += 1
                running = asyncio.create_task(register.run(life.task, life.action))
                if chance.random() < 0.1:
                    kills += 1
                    await asyncio.wait([running], timeout=chance.random() / 20)
                    running.cancel()
                    await asyncio.wait([running])
                    continue  # the next operator knows what the status says
                life.learns(await running)
            if sum(life.media_id is not None for life in lives) >= TASKS / 2:
                half.set()

    async def kill_payload() -> None:
        await half.wait()
        payload.kill()
        payload.start()  # in this thread: it ends with the one that starts it

    async with (
        faulty(payload.url, by_chance(0.3, seed=12)) as proxy,
        effect(store, payload.settings(api_url=proxy.url, timeout_seconds=2)) as register,
        asyncio.timeout(300 + TASKS),
    ):
        await asyncio.gather(kill_payload(), *(to_the_end(life, register) for life in lives))
    documents = [document for document in payload.documents() if document["task_id"].startswith("many-")]
    by_task = {document["task_id"]: document for document in documents}
    assert len(documents) == len(by_task) == TASKS
    for life in lives:
        document = by_task[life.task.name]
        assert (life.media_id, life.task.spec.project_id) == (str(document["id"]), document["project_id"])
        assert await asyncio.to_thread(payload.content, document) == life.content
    faults = sum(proxy.done.values()) - proxy.done[Fault.NONE]
    orphans = payload.files() - {document["filename"] for document in payload.documents()}
    assert faults > TASKS / 5
    assert kills > 0
    if "MEDIATASK_PAYLOAD_TASKS" in os.environ:
        with capsys.disabled():
            print(
                f"\n{TASKS} tasks: {len(documents)} documents; {tries} tries, {kills} killed, {faults} of "
                f"{sum(proxy.done.values())} requests failed, {len(orphans)} files without a document"
            )


# ---- what comes back is bounded


async def test_an_endless_answer_is_not_read(payload: RunningPayload, store: ArtifactStore) -> None:
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        while sent < 512 * ANSWER_LIMIT:
            await response.write(b"[" * 65536)
            sent += 65536
        return response

    life = await Life(store, "endless").stored()
    async with receiver(endless) as port:
        outcome = await try_once(life, payload.settings(api_url=f"http://127.0.0.1:{port}/api"))
    assert (outcome.media_id, outcome.reason, outcome.permanent) == (None, Reason.PAYLOAD_AWAY, False)
    assert sent < 32 * ANSWER_LIMIT


@pytest.mark.parametrize(
    "answer",
    ["", "[]", '{"docs": 1}', '{"docs": [1]}', '{"docs": [{"id": true}]}', '{"docs": [{"id": "%s"}]}' % ("x" * 129)],
)
async def test_an_answer_that_is_none_is_tried_again(
    payload: RunningPayload, store: ArtifactStore, answer: str
) -> None:
    async def odd(_: web.Request) -> web.Response:
        return web.Response(text=answer)

    async with receiver(odd) as port:
        outcome = await try_once(Life(store, "odd"), payload.settings(api_url=f"http://127.0.0.1:{port}/api"))
    assert (outcome.media_id, outcome.reason, outcome.permanent) == (None, Reason.PAYLOAD_AWAY, False)


@pytest.mark.parametrize(("status", "permanent"), [(301, True), (401, True), (413, True), (429, False), (502, False)])
async def test_refusals_and_absences_are_told_apart(
    payload: RunningPayload, store: ArtifactStore, status: int, permanent: bool
) -> None:
    key = payload.key

    async def answer(_: web.Request) -> web.Response:
        errors = json.dumps({"errors": [{"message": f"no, \x1b[31m{key}"}]})
        return web.Response(status=status, text=errors, headers={"Location": "/api", "Retry-After": "90"})

    async with receiver(answer) as port:
        outcome = await try_once(Life(store, "told"), payload.settings(api_url=f"http://127.0.0.1:{port}/api"))
    assert (outcome.permanent, outcome.retry_after) == (permanent, None if permanent else 90.0)
    assert str(status) in outcome.error
    assert key not in outcome.error
    assert outcome.error.isprintable()


async def test_a_large_file_passes_through_in_pieces(payload: RunningPayload, store: ArtifactStore) -> None:
    size, got = 64 * 1024**2, 0

    async def take(request: web.Request) -> web.Response:
        nonlocal got
        if request.method == "GET":
            return web.json_response({"docs": []})
        async for piece in request.content.iter_any():
            got += len(piece)
        return web.json_response({"doc": {"id": 1, "filesize": size}}, status=201)

    life = await Life(store, "large", bytes(size)).stored()
    async with receiver(take) as port:
        tracemalloc.start()
        outcome = await try_once(life, payload.settings(api_url=f"http://127.0.0.1:{port}/api"))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert outcome.media_id == "1"
    assert got > size
    assert peak < 8 * 1024**2


# ---- what a try tells of the others


async def test_the_key_is_read_anew_once_its_file_has_changed(
    payload: RunningPayload, store: ArtifactStore, tmp_path: Path
) -> None:
    told: list[bool] = []
    recovery = Recovery(list, lambda *_: None)
    recovery.tell = told.append  # type: ignore[method-assign,assignment]
    key = tmp_path / "key"
    key.write_text("no-longer-valid\n")
    settings = payload.settings(api_key=None, api_key_file=key)
    life = await Life(store, "rotated").stored()
    async with effect(store, settings, recovery) as register:
        refused = await register.run(life.task, life.action)
        assert refused is not None
        assert refused.reason is Reason.PAYLOAD_REFUSED
        key.write_text(f"{payload.key}\n")
        life.learns(refused)
        found = await register.run(life.task, life.action)
    assert found is not None
    assert found.media_id is not None
    assert told == [False, True]


def test_projects_do_not_wait_for_each_other(store: ArtifactStore) -> None:
    client = PayloadClient("http://127.0.0.1:9/api", lambda: "key", "users", 1)
    register = RegisterInPayload(client, PayloadSettings(), store, None, Metrics(), None)  # type: ignore[arg-type]
    assert register.lane(Life(store, "a", projectId="large").task) != register.lane(Life(store, "b").task)
