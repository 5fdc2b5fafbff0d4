"""Uploads as inputs: granted within a quota, looked at before use, kept while used, and nobody else's."""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from mediatask_api.uploads import records
from mediatask_api.uploads.records import Lifetimes
from mediatask_api.uploads.sweep import sweep
from mediatask_common.redisview import RedisView
from mediatask_common.times import utcnow
from mediatask_local.s3server import S3Server
from support.front import until
from support.inputs import announced, png
from support.s3server import settings_of

from .conftest import World

PICTURE = png()
LIFETIMES = Lifetimes(timedelta(hours=24), timedelta(days=30))


async def send(world: World, url: str, headers: dict[str, str], content: bytes) -> httpx.Response:
    """What a browser does with a grant: no credentials but the URL."""
    transport = world.public if url.startswith("http://api/") else None
    async with httpx.AsyncClient(transport=transport, trust_env=False) as http:
        return await http.put(url, headers=headers, content=content)


async def upload(world: World, project: str, content: bytes = PICTURE, **changes: Any) -> str:
    """The reference of a new upload."""
    answer = await world.api.post("/uploads", json=announced(content, project, **changes))
    assert answer.status_code == 201, answer.text
    grant = answer.json()
    sent = await send(world, grant["url"], grant["headers"], content)
    assert sent.is_success, sent.text
    reference: str = grant["reference"]
    return reference


def picture_of(project: str, *references: str) -> dict[str, Any]:
    data = {"prompt": "an alley", "reference_images": list(references)}
    return {"project_id": project, "task_type": "generate_image", "task_data": data}


async def submit(world: World, project: str, *references: str, key: str | None = None) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return await world.api.post("/tasks/submit", json=picture_of(project, *references), headers=headers)


async def running(world: World, project: str, *references: str) -> tuple[str, str]:
    """A running task that uses these, and its pod's token."""
    answer = await submit(world, project, *references)
    assert answer.status_code == 202, answer.text
    task_id = answer.json()["task_id"]
    await world.set_status(task_id, phase="processing", attempt=1)
    return task_id, await world.token(await world.pod(task_id, project=project))


async def completed(world: World, project: str, content: bytes = PICTURE, **changes: Any) -> str:
    """A task that has made `image.png`."""
    task_id: str = (await submit(world, project)).json()["task_id"]
    uid = (await world.task(task_id))["metadata"]["uid"]
    artifact = {
        "name": "image.png",
        "key": f"projects/{project}/{uid}/1/image.png",
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "contentType": "image/png",
        **changes,
    }
    await world.services.store.create(artifact["key"], content, "image/png")
    await world.set_status(task_id, phase="completed", attempt=1, result={"artifacts": [artifact]})
    return task_id


async def read(world: World, url: str) -> bytes:
    transport = world.public if url.startswith("http://api/") else None
    async with httpx.AsyncClient(transport=transport, trust_env=False) as http:
        answer = await http.get(url)
        assert answer.is_success, answer.text
        return answer.content


# ---- the whole way


async def test_from_a_file_to_a_pod(place: World, project: str) -> None:
    reference = await upload(place, project)
    task_id, token = await running(place, project, reference)
    answer = await place.report(token, task_id, "inputs", attempt=1, refs=[reference])
    assert answer.status_code == 200, answer.text
    granted = answer.json()
    assert granted["sha256"] == {reference: hashlib.sha256(PICTURE).hexdigest()}
    assert await read(place, granted["urls"][reference]) == PICTURE


async def test_another_tasks_output_is_an_input(place: World, project: str) -> None:
    reference = f"task://{await completed(place, project)}/image.png"
    task_id, token = await running(place, project, reference)
    granted = (await place.report(token, task_id, "inputs", attempt=1, refs=[reference])).json()
    assert await read(place, granted["urls"][reference]) == PICTURE
    assert granted["sha256"] == {reference: hashlib.sha256(PICTURE).hexdigest()}


async def test_large_files_are_sent_in_parts(place: World, project: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "PART_BYTES", 5 * 1024**2)  # the least that S3 takes
    content = png(5 * 1024**2 + 4711)
    parts = [content[: 5 * 1024**2], content[5 * 1024**2 :]]
    wanted = announced(content, project, parts_sha256=[hashlib.sha256(part).hexdigest() for part in parts])
    grant = (await place.api.post("/uploads", json=wanted)).json()
    assert (grant["url"], [part["bytes"] for part in grant["parts"]]) == (None, [5 * 1024**2, 4711])

    async def complete() -> httpx.Response:
        path = grant["complete_url"].removeprefix("/api/v1")
        return await place.api.post(path, json={"project_id": project})

    assert (await complete()).status_code == 409
    assert "nothing has been uploaded" in (await submit(place, project, grant["reference"])).json()["detail"]
    for part, body in zip(grant["parts"], parts, strict=True):
        assert "have not been uploaded" in (await complete()).json()["detail"]
        assert (await send(place, part["url"], part["headers"], body)).is_success
    for _ in range(2):
        answer = await complete()
        assert (answer.status_code, answer.json()["bytes"]) == (200, len(content)), answer.text
    assert (await submit(place, project, grant["reference"])).status_code == 202


@pytest.mark.parametrize("digests", [[], ["0" * 64], ["0" * 64] * 3])
async def test_large_files_need_a_digest_for_each_part(world: World, digests: list[str]) -> None:
    wanted = announced(PICTURE, bytes=100 * 1024**2, parts_sha256=digests)
    answer = await world.api.post("/uploads", json=wanted)
    assert (answer.status_code, answer.json()["errors"][0]["loc"]) == (400, ["body", "parts_sha256"])
    small = await world.api.post("/uploads", json=announced(PICTURE, parts_sha256=["0" * 64]))
    assert small.status_code == 400


# ---- what is refused


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("filename", name) for name in ("", "../x", "a/b", "a\\b", "a\nb", "a\x7fb", "x" * 256)),
        *(("content_type", kind) for kind in ("text/html", "image/svg+xml", "image/png\r\nX: y", "", "IMAGE/PNG")),
        *(("bytes", size) for size in (0, -1, 5 * 1024**3 + 1, "16", 1.5)),
        *(("sha256", digest) for digest in ("", "0" * 63, "A" * 64)),
        *(("project_id", name) for name in ("", "..", "a/b", "x" * 64)),
        ("key", "projects/film/x"),
    ],
)
async def test_an_upload_is_announced_in_bounds(world: World, field: str, value: Any) -> None:
    answer = await world.api.post("/uploads", json={**announced(PICTURE), field: value})
    assert (answer.status_code, answer.json()["errors"][0]["loc"]) == (400, ["body", field])


async def test_names_of_people_are_taken(world: World) -> None:
    for name in ("IMG 001 (2).png", "Straße bei Nacht ☂.png", "..", "%2e%2e%2fx", ".htaccess"):
        assert (await world.api.post("/uploads", json=announced(PICTURE, filename=name))).status_code == 201


DISGUISED = [
    b"<html><script>alert(1)</script></html>",
    b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
    b"#!/bin/sh\n",
    b"GIF89a" + bytes(64),
    b"\x89PN",
    b"%PDF-1.7\n",
]


@pytest.mark.parametrize("content", DISGUISED)
async def test_content_is_looked_at_before_it_is_used(place: World, project: str, content: bytes) -> None:
    reference = await upload(place, project, content)
    answer = await submit(place, project, reference)
    assert answer.status_code == 400
    assert answer.json()["errors"] == [
        {
            "loc": ["body", "task_data", "reference_images", 0],
            "msg": f"{reference}: the upload is no image/png, which it was announced to be",
        }
    ]


@pytest.mark.parametrize(
    "reference",
    [
        "upload://abc",
        f"upload://{'A' * 32}",
        "upload://../x",
        "task://x",
        "task://x/../y",
        "task://x/a/b",
        "task://X/y",
    ],
)
async def test_what_is_no_reference_is_refused_by_its_form(world: World, reference: str) -> None:
    answer = await submit(world, "film", reference)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["loc"] == ["body", "task_data", "reference_images", 0]


async def test_all_references_that_cannot_be_used_are_named(world: World, project: str) -> None:
    good, bad = await upload(world, project), [f"upload://{digit * 32}" for digit in "ab"]
    answer = await submit(world, project, bad[0], good, bad[1])
    assert [fault["loc"][-1] for fault in answer.json()["errors"]] == [0, 2]


async def test_outputs_can_be_used_once_their_task_is_completed(world: World, project: str) -> None:
    made = await completed(world, project)
    answer = await submit(world, project, f"task://{made}/other.png")
    assert "there are: image.png" in answer.json()["detail"]
    for phase in ("queued", "processing", "failed", "cancelled"):
        await world.set_status(made, phase=phase)
        answer = await submit(world, project, f"task://{made}/image.png")
        assert (answer.status_code, f"the task is {phase}" in answer.json()["detail"]) == (400, True)


async def test_outputs_are_found_by_the_fast_view_too(
    open_world: Callable[..., Any], redis_url: str, view: RedisView, project: str
) -> None:
    async with open_world(redis_url=redis_url) as world:
        made = await completed(world, project)
        await view.put(await world.task(made))
        await view.renew_freshness()
        assert (await submit(world, project, f"task://{made}/image.png")).status_code == 202


# ---- isolation


async def test_files_of_other_projects_read_like_none(place: World, project: str) -> None:
    other = f"other-{project}"
    reference, made = await upload(place, other), await completed(place, other)
    unknown = await submit(place, project, f"upload://{secrets.token_hex(16)}")
    foreign = await submit(place, project, reference)
    assert (foreign.status_code, unknown.status_code) == (400, 400)
    assert _without_ids(foreign) == _without_ids(unknown)
    assert (await submit(place, other, reference)).status_code == 202
    unknown = await submit(place, project, "task://no-such-task/image.png")
    foreign = await submit(place, project, f"task://{made}/image.png")
    assert (foreign.status_code, unknown.status_code) == (400, 400)
    assert _without_ids(foreign) == _without_ids(unknown)
    caller, upload_id = await place.caller(project), reference.removeprefix("upload://")
    assert (await caller.post("/uploads", json=announced(PICTURE, other))).status_code == 403
    answers = [
        await caller.post(f"/uploads/{one}/complete", json={"project_id": where})
        for one, where in ((upload_id, other), (upload_id, project), (secrets.token_hex(16), project))
    ]
    assert [answer.status_code for answer in answers] == [404] * 3


def _without_ids(answer: httpx.Response) -> str:
    return str(answer.json()["errors"][0]["msg"]).rpartition(": ")[2]


async def test_a_pod_resolves_what_stands_in_its_own_task(place: World, project: str) -> None:
    own, others = await upload(place, project), await upload(place, project)
    task_id, token = await running(place, project, own)
    made = await completed(place, project)
    for reference in (others, f"task://{made}/image.png", "https://example.com/x.png", "upload://abc", ""):
        answer = await place.report(token, task_id, "inputs", attempt=1, refs=[own, reference])
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:mediatask:problem:input-not-found"), reference


async def test_a_reference_in_a_text_is_no_input(world: World, project: str) -> None:
    reference = await upload(world, project)
    body = {**picture_of(project), "task_data": {"prompt": reference}}
    task_id = (await world.api.post("/tasks/submit", json=body)).json()["task_id"]
    await world.set_status(task_id, phase="processing", attempt=1)
    token = await world.token(await world.pod(task_id, project=project))
    assert (await world.report(token, task_id, "inputs", attempt=1, refs=[reference])).status_code == 404


async def test_a_status_that_names_foreign_keys_opens_nothing(world: World, project: str) -> None:
    await world.services.store.create("projects/secret/u/1/image.png", b"secret", "image/png")
    for key in ("projects/secret/u/1/image.png", f"uploads/{project}/x/content", f"projects/{project}/result.json"):
        made = await completed(world, project)
        artifact = {"name": "image.png", "key": key, "sha256": "0" * 64, "bytes": 6, "contentType": "image/png"}
        await world.set_status(made, result={"artifacts": [artifact]})
        assert (await submit(world, project, f"task://{made}/image.png")).status_code == 400, key


# ---- quota


async def test_the_quota_holds_against_many_at_once(open_world: Callable[..., Any], project: str) -> None:
    size = 1000
    async with open_world(upload_quota_bytes=10 * size) as world, open_world(upload_quota_bytes=10 * size) as replica:
        answers = await asyncio.gather(
            *(each.api.post("/uploads", json=announced(png(size), project)) for each in (world, replica) * 16)
        )
        granted = [answer.status_code for answer in answers].count(201)
        assert 1 <= granted <= 10
        assert {answer.status_code for answer in answers} == {201, 409}
        assert answers[-1].headers["content-type"] == "application/problem+json"
        listed = [one async for one in records.read(world.services.store.objects(records.folder(project)))]
        assert len(listed) == granted, "who was refused has left nothing"
        for _ in range(granted, 10):
            assert (await world.api.post("/uploads", json=announced(png(size), project))).status_code == 201
        assert (await world.api.post("/uploads", json=announced(png(size), project))).status_code == 409
        assert (await world.api.post("/uploads", json=announced(png(size), f"{project}2"))).status_code == 201


async def test_one_replica_refuses_nobody_for_a_grant_that_it_refuses(
    open_world: Callable[..., Any], project: str
) -> None:
    async with open_world(upload_quota_count=10) as world:
        answers = await asyncio.gather(
            *(world.api.post("/uploads", json=announced(PICTURE, project)) for _ in range(32))
        )
        assert [answer.status_code for answer in answers].count(201) == 10


# ---- expiry


async def left(world: World, project: str) -> list[str]:
    return [item.key async for item in world.services.store.objects(records.folder(project))]


async def test_unused_uploads_expire_and_used_ones_later(place: World, project: str) -> None:
    store, now = place.services.store, utcnow()
    unused, used = await upload(place, project), await upload(place, project)
    await place.api.post("/uploads", json=announced(PICTURE, project))  # never sent
    assert (await submit(place, project, used)).status_code == 202
    assert len(await left(place, project)) == 6
    await sweep(store, LIFETIMES, now + timedelta(hours=4.9))
    assert len(await left(place, project)) == 6
    await sweep(store, LIFETIMES, now + timedelta(hours=5.1))
    assert len(await left(place, project)) == 5
    await sweep(store, LIFETIMES, now + timedelta(hours=24.9))
    assert len(await left(place, project)) == 5
    await sweep(store, LIFETIMES, now + timedelta(hours=25.1))
    assert len(await left(place, project)) == 3
    assert (await submit(place, project, unused)).status_code == 400
    assert (await submit(place, project, used)).status_code == 202
    await sweep(store, LIFETIMES, now + timedelta(days=30))
    assert len(await left(place, project)) == 3
    await sweep(store, LIFETIMES, now + timedelta(days=31, hours=2))
    assert await left(place, project) == []


async def test_parts_that_were_never_put_together_go_with_their_grant(
    place: World, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "PART_BYTES", 5 * 1024**2)
    wanted = announced(
        PICTURE, project, bytes=5 * 1024**2 + 1, parts_sha256=["0" * 64, hashlib.sha256(b"x").hexdigest()]
    )
    grant = (await place.api.post("/uploads", json=wanted)).json()
    last = grant["parts"][1]
    assert (await send(place, last["url"], last["headers"], b"x")).is_success
    await sweep(place.services.store, LIFETIMES, utcnow() + timedelta(hours=6))
    assert await left(place, project) == []
    assert (await send(place, last["url"], last["headers"], b"x")).status_code == 404
    with pytest.raises(FileNotFoundError):
        await place.services.store.join_parts(records.content_key(project, grant["upload_id"]), [5 * 1024**2, 1])


async def test_an_upload_expires_before_it_is_deleted(world: World, project: str) -> None:
    """So that a submit that has found it is never overtaken by the sweep."""
    reference = await upload(world, project)
    for path in world.services.settings.store.folder.rglob("content"):
        if path.is_file():
            _age(path, timedelta(hours=24, minutes=1))
    await sweep(world.services.store, LIFETIMES, utcnow())
    assert len(await left(world, project)) == 2
    answer = await submit(world, project, reference)
    assert "no such upload" in answer.json()["detail"]


def _age(path: Path, by: timedelta) -> None:
    moment = (utcnow() - by).timestamp()
    os.utime(path, (moment, moment))


async def test_a_repeated_submit_gets_its_answer_after_the_upload_is_gone(world: World, project: str) -> None:
    reference = await upload(world, project)
    first = await submit(world, project, reference, key="once")
    await sweep(world.services.store, LIFETIMES, utcnow() + timedelta(days=40))
    again = await submit(world, project, reference, key="once")
    assert (again.status_code, again.content) == (202, first.content)
    assert (await submit(world, project, reference, key="twice")).status_code == 400


async def test_the_process_sweeps_by_itself(open_world: Callable[..., Any], project: str, tmp_path: Path) -> None:
    async with open_world() as world:
        await world.api.post("/uploads", json=announced(PICTURE, project))
        for path in (tmp_path / "media" / "objects" / "uploads").rglob("content"):
            _age(path, timedelta(hours=6))
    async with open_world(upload_sweep_seconds=0.05) as world:

        async def swept() -> bool:
            return not await left(world, project)

        await until(swept)


async def test_odd_objects_among_uploads_disturb_nobody(place: World, project: str) -> None:
    store = place.services.store
    odd = [f"uploads/{project}/readme", f"uploads/{project}/{'a' * 32}/more/of.this", f"uploads/{project}/x/content"]
    odd += [f"uploads/{project}/{'b' * 32}/used.2026-99-99", f"uploads/{project}/{'c' * 32}/content"]
    for key in odd:
        await store.create(key, b"odd", "text/plain")
    reference = await upload(place, project)
    assert (await submit(place, project, reference)).status_code == 202
    for letter in "abc":
        assert (await submit(place, project, f"upload://{letter * 32}")).status_code == 400
    await sweep(store, LIFETIMES, utcnow() + timedelta(days=60))
    assert sorted(await left(place, project)) == sorted(odd[:3])


async def test_a_deleted_upload_is_gone_and_so_is_its_part_of_the_quota(
    open_world: Callable[..., Any], place: World, project: str
) -> None:
    reference = await upload(place, project)
    path = f"/uploads/{reference.removeprefix('upload://')}?project_id={project}"
    assert (await place.api.delete(path)).status_code == 204
    assert await left(place, project) == []
    assert (await submit(place, project, reference)).status_code == 400
    assert (await place.api.delete(path)).status_code == 404
    async with open_world(upload_quota_count=1) as small:
        first = await upload(small, project)
        assert (await small.api.post("/uploads", json=announced(PICTURE, project))).status_code == 409
        path = f"/uploads/{first.removeprefix('upload://')}?project_id={project}"
        assert (await small.api.delete(path)).status_code == 204
        await upload(small, project)


async def test_an_upload_is_not_deleted_while_a_task_needs_it(world: World, project: str) -> None:
    reference = await upload(world, project)
    path = f"/uploads/{reference.removeprefix('upload://')}?project_id={project}"
    task_id = (await submit(world, project, reference)).json()["task_id"]
    for phase in (None, "processing"):
        if phase:
            await world.set_status(task_id, phase=phase, attempt=1)
        refused = await world.api.delete(path)
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:mediatask:problem:upload-in-use")
        assert task_id in refused.json()["detail"]
    await world.set_status(task_id, phase="failed", attempt=1)
    assert (await world.api.delete(path)).status_code == 204


async def test_nobody_deletes_uploads_of_a_foreign_project(world: World, project: str) -> None:
    reference = await upload(world, project)
    stranger = await world.caller("another", role="producer")
    for where in (project, "another"):
        path = f"/uploads/{reference.removeprefix('upload://')}?project_id={where}"
        assert (await stranger.delete(path)).status_code == 404
    assert (await submit(world, project, reference)).status_code == 202


async def test_a_store_that_is_away_is_told(open_world: Callable[..., Any], s3: S3Server, project: str) -> None:
    async with open_world(store=settings_of(s3, bucket="no-such-bucket")) as world:
        for answer in (
            await world.api.post("/uploads", json=announced(PICTURE, project)),
            await submit(world, project, f"upload://{'a' * 32}"),
            await world.api.post(f"/uploads/{'a' * 32}/complete", json={"project_id": project}),
            await world.api.delete(f"/uploads/{'a' * 32}?project_id={project}"),
        ):
            assert (answer.status_code, answer.json()["type"]) == (503, "urn:mediatask:problem:store-unavailable")
            assert int(answer.headers["retry-after"]) > 0


async def test_a_replayed_put_changes_nothing(place: World, project: str) -> None:
    grant = (await place.api.post("/uploads", json=announced(PICTURE, project))).json()
    assert (await send(place, grant["url"], grant["headers"], PICTURE)).is_success
    assert (await send(place, grant["url"], grant["headers"], PICTURE)).status_code == 412
    for name in grant["headers"]:
        headers = {key: value for key, value in grant["headers"].items() if key != name}
        assert (await send(place, grant["url"], headers, PICTURE)).is_client_error, name
