"""Every route by every kind of caller for what is theirs, what is others', and what there is not.

Routes come from the apps' own tables, and what ought to happen from the scope that each declares: there is no list to
keep. What belongs to others has to be answered as if it were not there, to the letter.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from integration.api.conftest import World
from mediatask_api.app import internal_app, public_app
from mediatask_api.events import streams
from mediatask_api.settings import JwtSettings, ServiceAccount
from mediatask_api.tasks import service
from mediatask_common.access.keys import new_key
from mediatask_common.kube import TASKS
from mediatask_common.redisview import RedisView
from mediatask_crds.names import ANNOTATION_SUBMITTED_BY
from support.front import Figure
from support.issuer import issuer

from .access.callers import Caller, Callers
from .access.calls import Call, calls
from .access.estate import Estate, Target, estate, everything, key_of, nobodys, upload_of
from .access.verdicts import Verdict, pod_verdict, verdict

POD_BODIES: dict[str, Any] = {
    "ProgressReport": {"attempt": 1, "progress": 0.5, "step": "rendering"},
    "PreviewReport": {"attempt": 1, "progress": 0.5, "step": "rendering", "image": "/9j/"},
    "ArtifactRequest": {
        "attempt": 1, "name": "out.json", "content_type": "application/json", "bytes": 4, "sha256": "0" * 64,
    },
    "InputRequest": {"attempt": 1, "refs": []},
    "ResultReport": {"attempt": 1, "result": {"artifacts": [], "metadata": {}}},
}  # fmt: skip
DENIED = (401, 403, 404)


@dataclass
class Told:
    """An answer, without what differs between any two."""

    status: int
    problem: str
    text: str
    raw: str

    @classmethod
    def of(cls, answer: httpx.Response, ids: list[str]) -> Told:
        """Args: ids: what stands for the object in the request, and may come back."""
        varying = {"x-request-id", "ratelimit", "date", "content-length"}
        lines = [f"{name}: {value}" for name, value in sorted(answer.headers.items()) if name not in varying]
        raw = "\n".join([*lines, answer.text])
        text = raw
        for each in sorted(ids, key=len, reverse=True):
            text = text.replace(each, "IT")
        status, problem = answer.status_code, ""
        if answer.text and "json" in answer.headers.get("content-type", ""):
            body = answer.json()
            if isinstance(body, dict):
                results = body.get("results") or [{}]
                status = results[0].get("status", status)  # a batch tells of each of its tasks
                problem = str(body.get("type", ""))
        return cls(status, problem, text, raw)


@dataclass
class Matrix:
    """The cells that were tried, and what was wrong with some."""

    world: World
    mine: Estate
    theirs: Estate
    cells: int = 0
    leaks: list[str] = field(default_factory=list)
    tried: set[str] = field(default_factory=set)
    by_verdict: dict[Verdict, int] = field(default_factory=dict)

    async def send(self, client: httpx.AsyncClient, call: Call, caller: Caller, target: Target) -> Told:
        about = [value for value in target.ids.values() if value]
        key = f"made-{secrets.token_hex(6)}"
        body = _about(call.example, target.project, key)
        path = call.path.replace(":path}", "}").format(**{"name": "test_prompt", **target.ids})
        query = {name: target.ids[name] for name in call.query}
        answer = await client.request(call.method, path, params=query or None, json=body, headers=caller.headers)
        told = Told.of(answer, [*about, target.project, key])
        if answer.status_code == 201 and call.model is not None and call.model.__name__ == "NewKeyRequest":
            await self.world.keys.revoke(key)
        return told

    def note(self, call: Call, caller: Caller, target: Target, told: Told, wanted: Verdict, absent: Told) -> None:
        """Judge a cell."""
        self.cells += 1
        self.tried.add(str(call))
        self.by_verdict[wanted] = self.by_verdict.get(wanted, 0) + 1
        fault = _fault(told, wanted, absent) or self._secret(caller, target, told)
        if fault:
            self.leaks.append(f"{call} by {caller.name} for {target.name}: {fault}\n{told.raw[:600]}")

    def _secret(self, caller: Caller, target: Target, told: Told) -> str:
        """A word of a project that the caller may not see, and has not said itself."""
        known = {*target.ids.values(), target.project}
        for estate_ in (self.mine, self.theirs):
            task = estate_.tasks["processing"]["metadata"]["name"]
            if (caller.principal and caller.principal.allows(estate_.project)) or caller.task_id == task:
                continue
            words = {word for word in estate_.secrets if not any(word in each for each in known)}
            said = [word for word in words if word in told.raw]
            if said:
                return f"tells {said} of {estate_.project}"
        return ""


def _fault(told: Told, wanted: Verdict, absent: Told) -> str:
    if told.status >= 500 and wanted is not Verdict.PUBLIC:
        return f"{told.status}"
    if wanted is Verdict.UNKNOWN_CALLER and told.status != 401:
        return f"{told.status} for somebody unknown"
    if wanted is Verdict.NO_SCOPE and (told.status, told.problem[-13:]) != (403, "scope-missing"):
        return f"{told.status} without the scope"
    if wanted is Verdict.NOT_THEIRS and (told.status, told.problem[-13:]) != (403, "not-your-task"):
        return f"{told.status} for a task of a colleague"
    if wanted is Verdict.HIDDEN and told.status not in DENIED:
        return f"{told.status} for what they may not see"
    if wanted is Verdict.LINK_ONLY and told.status not in (403, 404):
        return f"{told.status} without a signature"
    if wanted is Verdict.OPEN and (told.status in (401, 403) or (told.status, told.text) == (404, absent.text)):
        return f"{told.status} although they may"
    told_apart = (told.status, told.text) != (absent.status, absent.text)
    if wanted in (Verdict.UNKNOWN_CALLER, Verdict.NO_SCOPE, Verdict.HIDDEN, Verdict.LINK_ONLY) and told_apart:
        return f"can be told from what there is not:\n{absent.raw[:600]}\n---"
    return ""


def _about(example: Any, project: str, name: str) -> Any:
    """A body about this project."""
    if isinstance(example, list):
        return [_about(item, project, name) for item in example]
    if not isinstance(example, dict):
        return example
    changed = {field: _about(value, project, name) for field, value in example.items()}
    if "project_id" in changed:
        changed["project_id"] = project
    if "idempotency_key" in changed:
        changed["idempotency_key"] = name
    if "projects" in changed:  # a key, with no more rights than whoever may make one
        changed.pop("role", None)
        changed |= {"projects": [project], "name": name, "scopes": ["keys:admin"]}
        changed.pop("expires_at", None)
    return changed


@asynccontextmanager
async def current(redis_url: str, world: World) -> AsyncIterator[None]:
    """Play the operator, which keeps Redis current."""
    view = RedisView.open(redis_url, world.namespace)

    async def keep() -> None:
        while True:
            async for task in world.kube.list_all(TASKS, world.namespace):
                await view.put(task)
            await view.renew_freshness()
            await asyncio.sleep(1)

    keeping = asyncio.create_task(keep())
    yield
    keeping.cancel()
    await view.close()


@pytest.fixture(params=["kubernetes", "redis"])
async def served(
    request: pytest.FixtureRequest, open_world: Callable[..., Any], namespace: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[World, Callers]]:
    """The API with every kind of credential, reading from each of its sources."""
    monkeypatch.setattr(service, "CANCEL_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(streams, "LOOK_SECONDS", 0.02)
    project = f"mine-{secrets.token_hex(6)}"
    account = ServiceAccount(namespace=namespace, name="default", role="writer", projects=[project])
    redis = request.getfixturevalue("redis_url") if request.param == "redis" else None
    async with (
        issuer() as provider,
        open_world(
            jwt=JwtSettings(**provider.settings),
            service_accounts=[account],
            event_stream_seconds=0.1,
            redis_url=redis,
        ) as world,
    ):
        callers = Callers(world, provider, project)
        if redis is None:
            yield world, callers
            return
        async with current(redis, world):
            yield world, callers


async def test_every_route_by_every_caller(served: tuple[World, Callers], figure: Figure) -> None:
    world, callers = served
    mine, theirs = await estate(world, callers.project), await estate(world, f"them-{secrets.token_hex(6)}")
    matrix = Matrix(world, mine, theirs)
    strangers = await callers.strangers()
    known = await callers.known(f"else-{secrets.token_hex(6)}")
    known.append(await callers.service_account())
    found = calls(public_app(world.services))
    async with httpx.AsyncClient(transport=world.public, base_url="http://api") as client:
        for call in found:
            who = [*strangers, *known] if call.asks_who else [strangers[0], known[0]]
            who += await callers.beside(call.scope) if call.scope else []
            await _rows(matrix, client, call, who, verdict)
    inside = calls(internal_app(world.services), POD_BODIES)
    pods = await callers.pods(mine.tasks, theirs.project)
    strangers = [caller for caller in strangers if caller.name != "a pod's token"]
    for call in inside:
        await _rows(matrix, world.internal, call, [*strangers, *known, *pods], pod_verdict)
    assert matrix.tried == {str(call) for call in [*found, *inside]}
    assert all(matrix.by_verdict.get(each) for each in Verdict), matrix.by_verdict
    routes, kinds = len(found) + len(inside), len(strangers) + len(known) + len(pods) + 2
    figure(f"{matrix.cells} cells: {routes} calls by {kinds} kinds of callers; {len(matrix.leaks)} leaks")
    assert not matrix.leaks, "\n\n".join([f"{len(matrix.leaks)} leaks", *matrix.leaks[:8]])


Judge = Callable[[Call, Caller, Target], Verdict]


async def _rows(matrix: Matrix, client: httpx.AsyncClient, call: Call, callers: Sequence[Caller], judge: Judge) -> None:
    """A route by all callers, and a look at what has changed that none of them was to change."""
    world, projects = matrix.world, {matrix.mine.project: matrix.mine, matrix.theirs.project: matrix.theirs}
    by_reach: dict[frozenset[str], list[Caller]] = {}
    for caller in callers:
        targets = [*matrix.mine.targets("own"), *matrix.theirs.targets("foreign")]
        reach = {target.project for target in targets if judge(call, caller, target) is Verdict.OPEN}
        by_reach.setdefault(frozenset(reach), []).append(caller)
    for reached, group in by_reach.items():
        reads = call.method in ("GET", "HEAD")
        guarded = [] if reads else [each for project, each in projects.items() if project not in reached]
        before = await everything(world, *guarded)
        for caller in group:
            await _row(matrix, client, call, caller, judge)
        if await everything(world, *guarded) != before:
            matrix.leaks.append(f"{call} by one of {[caller.name for caller in group]}: changed what is not theirs")


async def _row(matrix: Matrix, client: httpx.AsyncClient, call: Call, caller: Caller, judge: Judge) -> None:
    """A route by a caller, for every object that it may be about."""
    world, mine, theirs = matrix.world, matrix.mine, matrix.theirs
    targets = [*mine.targets("own"), *theirs.targets("foreign")]
    principal = caller.principal
    if "task_id" not in call.parameters or (principal is None and not caller.task_id):
        targets = [targets[0], targets[-1]]
    elif principal is not None and principal.grant.own_tasks_only:
        targets.append(await _submitted_by(world, mine, principal.id))
    nothing = nobodys(f"none-{secrets.token_hex(6)}")
    if "key_id" in call.parameters:
        for target, key in zip(targets, (mine.key_id, theirs.key_id), strict=True):
            target.ids["key_id"] = key
        nothing.ids["key_id"] = f"key-{secrets.token_hex(6)}"
    absent = await matrix.send(client, call, caller, nothing)
    matrix.note(call, caller, nothing, absent, judge(call, caller, nothing), absent)
    for target in targets:
        wanted = judge(call, caller, target)
        matrix.note(call, caller, target, await matrix.send(client, call, caller, target), wanted, absent)
        if wanted is Verdict.OPEN and "key_id" in call.parameters:
            owner = mine if target.project == mine.project else theirs
            owner.key_id = await key_of(world, owner.project)  # it may have been revoked
        if wanted is Verdict.OPEN and call.method == "DELETE" and "upload_id" in call.parameters:
            owner = mine if target.project == mine.project else theirs
            owner.upload_id = await upload_of(world, owner.project, owner.word)


async def _submitted_by(world: World, mine: Estate, caller: str) -> Target:
    """A failed task as if this caller had submitted it."""
    task = mine.spare["metadata"]["name"]
    body = {"metadata": {"annotations": {ANNOTATION_SUBMITTED_BY: caller}}}
    await world.kube.patch(TASKS, task, body, world.namespace)
    ids = {**mine.targets("own")[0].ids, "task_id": task}
    return Target("own, submitted by the caller", mine.project, ids, submitted_by=caller)


VARYING = re.compile(r"expires=[0-9]+&signature=[0-9a-f]+|event: closed.*", re.DOTALL)
"""Of links, by the time; and the end of a stream."""
OF_ALL = ("/health", "/workers/status", "/services")
"""What is about the service, its machines and neighbours, of which everybody is told the number."""


async def seen(world: World, caller: Caller, mine: Estate) -> dict[str, str]:
    """All that a caller can read of its project, by request."""
    found = {}
    async with httpx.AsyncClient(transport=world.public, base_url="http://api", headers=caller.headers) as client:
        for call in calls(public_app(world.services)):
            if call.method != "GET" or "key" in call.parameters or any(part in call.path for part in OF_ALL):
                continue
            for target in mine.targets("own"):
                path = call.path.format(**{"name": "test_prompt", **target.ids})
                answer = await client.get(path)
                found[path] = f"{answer.status_code} {VARYING.sub('', answer.text)}"
    return found


async def test_what_others_have_changes_nothing_that_is_read(open_world: Callable[..., Any], figure: Figure) -> None:
    """Not even a number: counts, pages and usage are as they are without the other project."""
    async with issuer() as provider:
        settings = {"jwt": JwtSettings(**provider.settings), "event_stream_seconds": 0.1}
        async with open_world(**settings) as world:
            mine = await estate(world, f"mine-{secrets.token_hex(6)}")
            token = provider.token(role="producer", projects=[mine.project])
            caller = Caller("producer", {"Authorization": f"Bearer {token}"})
            alone = await seen(world, caller, mine)
        # With nothing left of what it has kept in memory.
        async with open_world(**settings) as world:
            await world.keys.create(mine.key_id, new_key([mine.project], scopes=["keys:admin"])[1])
            theirs = await estate(world, f"them-{secrets.token_hex(6)}")
            beside = await seen(world, caller, mine)
    changed = sorted(path for path in alone if alone[path] != beside[path])
    figure(f"{len(alone)} answers beside a project with {len(theirs.tasks) + 1} tasks: {len(changed)} differ")
    assert sum(answer.startswith("200") for answer in alone.values()) > 15
    assert not changed, [(path, alone[path][:300], beside[path][:300]) for path in changed[:5]]
