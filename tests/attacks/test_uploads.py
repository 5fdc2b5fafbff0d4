"""Uploads by hostile callers: other content than was signed, other people's files, more than the quota."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Any

import httpx

from integration.api.conftest import World
from mediatask_api.uploads import records
from mediatask_common.kube import TASKS
from mediatask_crds.mediatypes import INPUT_TYPES
from mediatask_local.s3server import S3Server
from support.inputs import announced, png
from support.s3server import settings_of

Figure = Callable[[str], None]
PICTURE = png()


def outside(world: World, url: str) -> httpx.AsyncClient:
    """Somebody who has a signed URL and nothing else."""
    return httpx.AsyncClient(transport=world.public if url.startswith("http://api/") else None, trust_env=False)


async def granted(world: World, project: str, content: bytes = PICTURE, **changes: Any) -> dict[str, Any]:
    answer = await world.api.post("/uploads", json=announced(content, project, **changes))
    assert answer.status_code == 201, answer.text
    grant: dict[str, Any] = answer.json()
    return grant


async def uploaded(world: World, project: str, content: bytes = PICTURE, **changes: Any) -> str:
    grant = await granted(world, project, content, **changes)
    async with outside(world, grant["url"]) as http:
        assert (await http.put(grant["url"], headers=grant["headers"], content=content)).is_success
    reference: str = grant["reference"]
    return reference


def using(project: str, reference: str) -> dict[str, Any]:
    data = {"prompt": "x", "style_guide": reference}
    return {"project_id": project, "task_type": "generate_image", "task_data": data}


async def test_a_signed_put_takes_nothing_else(place: World, project: str, figure: Figure) -> None:
    grant = await granted(place, project)
    url, headers = grant["url"], grant["headers"]
    other = await granted(place, project, png(500), content_type="image/jpeg")
    tries: list[tuple[str, str, dict[str, str], bytes]] = [
        ("PUT", url, headers, content)
        for content in (PICTURE + b"x", PICTURE * 10, PICTURE[:-1], b"", PICTURE[:-1] + b"\0", b"<html>")
    ]
    for name, value in headers.items():
        if name == "If-None-Match" and url.startswith("http://api/"):
            continue  # the folder creates only, whatever is asked
        for changed in (None, "", "x", "text/html", value + "x", other["headers"].get(name, "y")):
            if changed != value:
                rest = {key: text for key, text in headers.items() if key != name}
                tries.append(("PUT", url, rest if changed is None else {**rest, name: changed}, PICTURE))
    tries += [("PUT", other["url"], headers, PICTURE), ("PUT", url, other["headers"], png(500))]
    for old, new in (
        (project, f"{project}2"),
        (grant["upload_id"], other["upload_id"]),
        ("/content", "/content2"),
        ("/content", f"/used.{'2' * 4}-01-01"),
        ("/content", "/../content"),
        ("uploads/", "projects/"),
        ("ignature=", "ignature=0"),
        ("?", "?part=1&"),
    ):
        tries.append(("PUT", url.replace(old, new, 1), headers, PICTURE))
    tries += [(method, url, headers, PICTURE) for method in ("GET", "POST", "DELETE", "PATCH")]
    tries.append(("PUT", url.partition("?")[0], headers, PICTURE))
    refused = 0
    async with outside(place, url) as http:
        for method, target, sent, content in tries:
            answer = await http.request(method, target, headers=sent, content=content)
            refused += 400 <= answer.status_code < 500
            assert 400 <= answer.status_code < 500, (method, target, sent, content[:20], answer.status_code)
        listed = [item.key async for item in place.services.store.objects("uploads/")]
        assert not [key for key in listed if project in key and "granted" not in key]
        assert (await http.put(url, headers=headers, content=PICTURE)).is_success, "what was signed is still taken"
    figure(f"{refused} of {len(tries)} refused, 0 objects")


async def test_replayed_and_parallel_puts(place: World, project: str, figure: Figure) -> None:
    grant = await granted(place, project)
    async with outside(place, grant["url"]) as http:
        answers = await asyncio.gather(
            *(http.put(grant["url"], headers=grant["headers"], content=PICTURE) for _ in range(32))
        )
    statuses = [answer.status_code for answer in answers]
    created = sum(answer.is_success for answer in answers)
    figure(f"{created} of 32 created it, {statuses.count(412)} got 412")
    assert (created, statuses.count(412)) == (1, 31)


HOSTILE = [
    b"<html><script>alert(1)</script>",
    b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
    b"<?xml version='1.0'?><!DOCTYPE svg [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><svg>&x;</svg>",
    b"\xef\xbb\xbf<!DOCTYPE html>",
    b"#EXTM3U\nfile:///etc/passwd\n",
    b"ffconcat version 1.0\nfile /etc/passwd\n",
    b"%!PS-Adobe-3.0 EPSF-3.0\n",
    b"push graphic-context\nviewbox 0 0 640 480\n",
    b"PK\3\4" + bytes(40),
    b"\x7fELF" + bytes(40),
    b"MZ" + bytes(40),
    b"%PDF-1.7\n",
]


async def test_disguised_content_is_never_used(world: World, project: str, figure: Figure) -> None:
    refused = 0
    for content in HOSTILE:
        for kind in INPUT_TYPES:
            reference = await uploaded(world, project, content, content_type=kind)
            answer = await world.api.post("/tasks/submit", json=using(project, reference))
            assert (answer.status_code, "announced to be" in answer.text) == (400, True), (content, kind)
            refused += 1
    for kind in ("text/html", "image/svg+xml", "application/xhtml+xml", "text/xml", "image/png; x=y", "*/*"):
        answer = await world.api.post("/uploads", json=announced(PICTURE, project, content_type=kind))
        assert answer.status_code == 400
        refused += 1
    figure(f"{refused} of {refused} refused")


async def test_file_names_are_no_paths(world: World, project: str, figure: Figure) -> None:
    tricks = ["../../etc/passwd", "..\\..\\x", "/etc/passwd", "a/../../b", "x\0.png", "x\r\nX-Evil: 1", "\u202egnp.exe"]
    tricks += ["..", ".", "%2e%2e%2f", "uploads", "content", "granted.1", "C:\\x", "~root", "$(id)", "`id`", "x" * 300]
    for name in tricks:
        answer = await world.api.post("/uploads", json=announced(PICTURE, project, filename=name))
        assert answer.status_code in (201, 400), name
    keys = [item.key async for item in world.services.store.objects(f"uploads/{project}/")]
    assert all(records._KEY.fullmatch(key) for key in keys)
    assert not any(name in key for key in keys for name in tricks if len(name) > 8 and name != "granted.1")
    figure(f"{len(tricks)} names, 0 in a key")


async def test_32_uploaders_at_once_do_not_pass_the_quota(
    open_world: Callable[..., Any], s3: S3Server, project: str, figure: Figure
) -> None:
    limits = {"store": settings_of(s3), "upload_quota_bytes": 10_000, "upload_quota_count": 50}
    async with open_world(**limits) as one, open_world(**limits) as two:
        asked = [each.api.post("/uploads", json=announced(png(1000), project)) for each in (one, two) * 16]
        answers = await asyncio.gather(*asked)
        granted = [answer.status_code for answer in answers].count(201)
        left = [each async for each in records.read(one.services.store.objects(f"uploads/{project}/"))]
    figure(
        f"2 replicas on S3: {granted} grants of 1,000 bytes, {sum(each.announced for each in left)} of 10,000 reserved"
    )
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len(left) == granted <= 10


async def test_foreign_references_by_every_route(place: World, project: str, figure: Figure) -> None:
    victim = f"victim-{project}"
    foreign = await uploaded(place, victim)
    made = (await place.api.post("/tasks/submit", json=using(victim, "https://example.com/x.png"))).json()["task_id"]
    uid = (await place.task(made))["metadata"]["uid"]
    key = f"projects/{victim}/{uid}/1/image.png"
    artifact = {"name": "image.png", "key": key, "sha256": "0" * 64, "bytes": 3, "contentType": "image/png"}
    await place.services.store.create(key, PICTURE, "image/png")
    await place.set_status(made, phase="completed", attempt=1, result={"artifacts": [artifact]})
    references = [foreign, f"task://{made}/image.png"]
    attacker, upload_id = await place.caller(project), foreign.removeprefix("upload://")
    tries = 0

    def refused(answer: httpx.Response, *statuses: int) -> None:
        nonlocal tries
        tries += 1
        assert answer.status_code in statuses, answer.text
        assert "X-Amz" not in answer.text
        assert "signature=" not in answer.text

    for reference in references:
        for where in (project, victim):
            body = using(where, reference)
            refused(await attacker.post("/tasks/submit", json=body), 400, 403)
            batch = await attacker.post("/tasks/batch", json={"tasks": [body], "atomic": False})
            if batch.status_code == 200:
                tries += 1
                assert [result["status"] in (400, 403) for result in batch.json()["results"]] == [True]
            else:
                refused(batch, 400, 403, 404)
        # A pod of the attacker's, whose task names the reference by a way around REST.
        own = (await attacker.post("/tasks/submit", json=using(project, "https://example.com/x.png"))).json()["task_id"]
        task = await place.task(own)
        spec = {**task["spec"], "taskData": {**task["spec"]["taskData"], "style_guide": reference}}
        named = f"around-{secrets.token_hex(4)}"
        meta = {"name": named, "labels": task["metadata"]["labels"]}
        await place.kube.create(TASKS, {**task, "metadata": meta, "spec": spec, "status": {}}, place.namespace)
        for task_id in (own, named):
            await place.set_status(task_id, phase="processing", attempt=1)
            token = await place.token(await place.pod(task_id, project=project))
            refused(await place.report(token, task_id, "inputs", attempt=1, refs=[reference]), 404)
            refused(await place.report(token, made, "inputs", attempt=1, refs=[reference]), 403)
    for where in (project, victim):
        refused(await attacker.post(f"/uploads/{upload_id}/complete", json={"project_id": where}), 404)
    refused(await attacker.post("/uploads", json=announced(PICTURE, victim)), 403)
    figure(f"{tries} of {tries} refused")
