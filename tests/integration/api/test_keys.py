"""Keys: who may call, until when, and how soon a change counts."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import httpx
import pytest

from mediatask_api.auth.keyring import NOTED_AGAIN
from mediatask_common.access.keysecret import LAST_USED
from mediatask_common.kube import SECRETS
from mediatask_common.times import parse_time, utcnow
from support.front import until

from .conftest import PROMPT, World

GUARDED = [
    ("POST", "/tasks/submit"),
    ("GET", "/tasks/x/status"),
    ("DELETE", "/tasks/x/cancel"),
    ("POST", "/tasks/x/retry"),
    ("GET", "/tasks/x/media"),
    ("GET", "/tasks/x/logs"),
    ("GET", "/projects/film/tasks"),
    ("GET", "/workers/status"),
    ("GET", "/task-types"),
    ("GET", "/task-types/generate_image"),
    ("GET", "/stats"),
    ("GET", "/health/../stats"),
]


async def answers(client: httpx.AsyncClient, status: int) -> None:
    """Wait until a call is answered so."""

    async def so() -> bool:
        return (await client.get("/stats")).status_code == status

    await until(so, 5)


@pytest.mark.parametrize(("method", "path"), GUARDED)
@pytest.mark.parametrize("key", [None, "", "mtk_wrong", "x" * 10_000])
async def test_nothing_without_a_valid_key(world: World, method: str, path: str, key: str | None) -> None:
    headers = {} if key is None else {"X-API-Key": key}
    world.api.headers.pop("X-API-Key", None)
    answer = await world.api.request(method, path, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"


async def test_every_route_under_the_base_is_guarded(world: World) -> None:
    document = (await world.api.get("http://api/openapi.json")).json()
    world.api.headers.pop("X-API-Key")
    for path, operations in document["paths"].items():
        for method in operations:
            answer = await world.api.request(method, f"http://api{path}")
            is_open = "health" in path
            assert (answer.status_code == 401) != is_open, path


async def test_keys_are_added_and_revoked_and_expire_while_the_service_runs(world: World) -> None:
    later = await world.caller("film", expires_at=utcnow() + timedelta(hours=1))
    assert (await later.get("/stats")).status_code == 200
    over = await world.caller("film", expires_at=utcnow() - timedelta(seconds=1))
    assert (await over.get("/stats")).status_code == 401
    await world.keys.revoke("key-2")
    await answers(later, 401)
    assert (await world.api.get("/stats")).status_code == 200


async def test_after_a_rotation_both_secrets_are_valid_until_the_overlap_ends(world: World) -> None:
    old = await world.caller("film")
    new = await world.keys.rotate("key-2", timedelta(hours=1))
    old_secret = old.headers["X-API-Key"]
    old.headers["X-API-Key"] = new
    await answers(old, 200)
    old.headers["X-API-Key"] = old_secret
    assert (await old.get("/stats")).status_code == 200
    newest = await world.keys.rotate("key-2", timedelta(seconds=0))
    await answers(old, 401)
    old.headers["X-API-Key"] = new
    assert (await old.get("/stats")).status_code == 401, "two secrets at most, and the overlap is over"
    old.headers["X-API-Key"] = newest
    assert (await old.get("/stats")).status_code == 200


@pytest.mark.parametrize(
    "content",
    [
        "[{",
        "[]",
        '{"sha256": "00", "projects": ["film"], "role": "viewer"}',
        f'{{"sha256": "{"0" * 64}", "projects": ["film"], "role": "king"}}',
        f'{{"sha256": "{"0" * 64}", "projects": ["film"]}}',
        f'{{"sha256": "{"0" * 64}", "projects": ["film"], "role": "viewer", "only_from": "10.0.0.0/8"}}',
    ],
)
async def test_an_entry_that_is_no_key_locks_nobody_else_out(world: World, content: str) -> None:
    broken = {"broken.json": base64.b64encode(content.encode()).decode(), "api-key": "bXRrX3g="}
    await world.kube.patch(SECRETS, world.keys.name, {"data": broken}, world.namespace)
    film = await world.caller("film")
    assert (await film.get("/stats")).status_code == 200
    assert (await world.api.get("/stats")).status_code == 200
    await world.keys.revoke("broken")
    stored = await world.keys.read()
    assert stored is not None
    assert not stored.faults


async def test_a_secret_that_is_deleted_takes_its_keys_back_and_a_new_one_gives_new_ones(world: World) -> None:
    await world.kube.delete(SECRETS, world.keys.name, world.namespace)
    await answers(world.api, 401)
    assert (await (await world.caller("film")).get("/stats")).status_code == 200
    assert (await world.api.get("/stats")).status_code == 401


async def test_when_a_key_was_last_used_is_kept_with_it(world: World) -> None:
    await world.api.get("/stats")
    await world.services.keys.note_used()
    secret = await world.kube.get(SECRETS, world.keys.name, world.namespace)
    at = parse_time(secret["metadata"]["annotations"][f"{LAST_USED}key-1"])
    assert abs(utcnow() - at) < timedelta(minutes=1)

    async def taken_up() -> bool:
        await world.api.get("/stats")
        before = (await world.kube.get(SECRETS, world.keys.name, world.namespace))["metadata"]["resourceVersion"]
        await world.services.keys.note_used()
        after = (await world.kube.get(SECRETS, world.keys.name, world.namespace))["metadata"]["resourceVersion"]
        return bool(before == after)

    await until(taken_up)  # once in ten minutes is enough
    assert timedelta(minutes=1) < NOTED_AGAIN


async def test_counts_are_those_of_the_keys_projects(world: World) -> None:
    await world.submit()
    await world.submit(project_id="other")
    film = await world.caller("film")
    assert (await film.get("/stats")).json()["total"] == 1
    assert (await world.api.get("/stats")).json()["total"] == 2
    assert (await film.post("/tasks/submit", json={**PROMPT, "project_id": "other"})).status_code == 403


# ---- roles


async def a_failed_task(world: World, client: httpx.AsyncClient) -> str:
    task_id: str = (await client.post("/tasks/submit", json=PROMPT)).json()["task_id"]
    await world.set_status(task_id, phase="failed", error={"code": "x", "message": "x", "retryable": False})
    return task_id


CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "/tasks/{task}/status", {}),
    ("GET", "/projects/film/tasks", {}),
    ("GET", "/stats", {}),
    ("POST", "/tasks/submit", {"json": PROMPT}),
    ("POST", "/tasks/{task}/retry", {}),
]


@pytest.mark.parametrize(
    ("role", "allowed"),
    [("viewer", {0, 1, 2}), ("writer", {0, 1, 2, 3}), ("director", {0, 1, 2, 3, 4}), ("producer", {0, 1, 2, 3, 4})],
)
async def test_roles_may_do_what_their_table_says(world: World, role: str, allowed: set[int]) -> None:
    client = await world.caller("film", role=role)
    done = set()
    for number, (method, path, options) in enumerate(CALLS):
        task_id = await a_failed_task(world, world.api)  # of somebody else
        answer = await client.request(method, path.format(task=task_id), **options)
        assert answer.status_code in (200, 202, 403), answer.text
        if answer.status_code != 403:
            done.add(number)
    assert done == allowed


async def test_a_writer_retries_and_cancels_what_it_has_submitted_itself(world: World) -> None:
    writer, other = await world.caller("film", role="writer"), await world.caller("film", role="writer")
    task_id = await a_failed_task(world, writer)
    for path in ("retry", "cancel"):
        method = "DELETE" if path == "cancel" else "POST"
        refused = await other.request(method, f"/tasks/{task_id}/{path}")
        assert (refused.status_code, refused.json()["type"]) == (403, "urn:mediatask:problem:not-your-task")
        assert (await writer.request(method, f"/tasks/{task_id}/{path}")).status_code in (200, 202)


async def test_a_key_with_scopes_may_do_these_and_no_more(world: World) -> None:
    client = await world.caller("film", scopes=["tasks:submit", "tasks:fly"])
    assert (await client.post("/tasks/submit", json=PROMPT)).status_code == 202
    refused = await client.get("/stats")
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:mediatask:problem:scope-missing")
