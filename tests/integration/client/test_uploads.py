"""Local files as inputs: by a path in the SDK, by `@file` on the command line."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from mediatask_client import AsyncClient, Client, Conflict, Unavailable, UsageError, cli, inputs
from mediatask_crds.tasktypes import task_types
from support.inputs import png
from support.rest_service import KEY, Answer, Service, problem

SUBMIT, UPLOADS, STORE = "/api/v1/tasks/submit", "/api/v1/uploads", "/bucket/content"
REFERENCE = f"upload://{'a' * 32}"
PICTURE = png()


@pytest.fixture(autouse=True)
def picture(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file, and a service that takes it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDIATASK_URL", service.url)
    monkeypatch.setenv("MEDIATASK_API_KEY", KEY)
    service.on("POST", SUBMIT, Answer(202, {"task_id": "task-1", "status": "queued", "project_id": "demo"}))
    schema = task_types()["generate_image"].model_json_schema()
    service.on("GET", "/api/v1/task-types/generate_image", Answer(200, {"name": "generate_image", "schema": schema}))
    service.on("POST", UPLOADS, Answer(201, grant(service)))
    service.on("PUT", STORE, Answer(200))
    path = tmp_path / "noir style.png"
    path.write_bytes(PICTURE)
    return path


def grant(service: Service, **changes: Any) -> dict[str, Any]:
    headers = {"Content-Type": "image/png", "If-None-Match": "*", "x-amz-checksum-sha256": "..."}
    url = f"{service.url}{STORE}?X-Amz-Signature=s"
    return {"upload_id": "a" * 32, "reference": REFERENCE, "url": url, "headers": headers, "parts": [], **changes}


def run(*words: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(cli.app, list(words), input=stdin)


def submitted(service: Service) -> dict[str, Any]:
    (request,) = service.asked("POST", SUBMIT)
    data: dict[str, Any] = request.body["task_data"]
    return data


async def test_a_path_is_uploaded_where_it_stands(service: Service, picture: Path) -> None:
    data = {"prompt": "@x", "style_guide": picture, "reference_images": ["https://e.org/a.png", picture]}
    async with AsyncClient() as client:
        await client.submit("demo", "generate_image", data)
    assert submitted(service) == {
        "prompt": "@x",
        "style_guide": REFERENCE,
        "reference_images": ["https://e.org/a.png", REFERENCE],
    }
    (asked,) = service.asked("POST", UPLOADS)
    assert asked.body == {
        "project_id": "demo",
        "filename": "noir style.png",
        "content_type": "image/png",
        "bytes": len(PICTURE),
        "sha256": hashlib.sha256(PICTURE).hexdigest(),
        "parts_sha256": [],
    }
    (put,) = service.asked("PUT", STORE)
    assert put.body == PICTURE
    assert put.headers["content-length"] == str(len(PICTURE))
    assert put.headers["if-none-match"] == "*"
    assert "x-api-key" not in put.headers, "the store is somebody else"


def test_text_is_never_taken_for_a_path(service: Service, picture: Path) -> None:
    with Client() as client:
        client.submit("demo", "generate_image", {"prompt": "x", "style_guide": str(picture)})
    assert not service.asked("POST", UPLOADS)


def test_large_files_are_sent_in_parts(service: Service, picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "PART_BYTES", 30)
    bodies = [PICTURE[start : start + 30] for start in range(0, len(PICTURE), 30)]
    parts = []
    for number, body in enumerate(bodies, 1):
        service.on("PUT", f"/part/{number}", Answer(503), Answer(200))
        part = {"number": number, "bytes": len(body), "url": f"{service.url}/part/{number}", "headers": {}}
        parts.append(part)
    service.on("POST", UPLOADS, Answer(201, grant(service, url=None, parts=parts)))
    service.on("POST", f"{UPLOADS}/{'a' * 32}/complete", Answer(200, {}))
    told: list[tuple[int, int]] = []
    with Client() as client:
        assert client.upload(picture, "demo", on_progress=lambda *sent: told.append(sent)).reference == REFERENCE
    digests = [hashlib.sha256(body).hexdigest() for body in bodies]
    assert service.asked("POST", UPLOADS)[0].body["parts_sha256"] == digests
    for number, body in enumerate(bodies, 1):
        assert [request.body for request in service.asked("PUT", f"/part/{number}")] == [body, body]
    assert service.asked("POST", f"{UPLOADS}/{'a' * 32}/complete")[0].body == {"project_id": "demo"}
    assert told[-1] == (len(PICTURE), len(PICTURE))


@pytest.mark.parametrize("first", [Answer(drop=True), Answer(503), Answer(500)])
def test_a_lost_answer_of_the_store_is_no_failure(service: Service, picture: Path, first: Answer) -> None:
    service.on("PUT", STORE, first, Answer(412))
    with Client() as client:
        client.upload(picture, "demo")
    assert len(service.asked("PUT", STORE)) == 2


def test_a_store_that_stays_away_is_told_with_its_address(
    service: Service, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mediatask_client.rest.calls.TRIES", 2)
    service.on("PUT", STORE, Answer(drop=True))
    with Client() as client, pytest.raises(Unavailable, match=service.url) as caught:
        client.upload(picture, "demo")
    assert "Signature" not in str(caught.value)


def test_a_redirect_of_the_store_is_not_followed(service: Service, picture: Path) -> None:
    service.on("PUT", STORE, Answer(307, headers={"Location": f"{service.url}/elsewhere"}))
    with Client() as client, pytest.raises(Exception, match="redirects"):
        client.upload(picture, "demo")
    assert not service.asked("PUT", "/elsewhere")


def test_a_full_quota_says_what_to_do(service: Service, picture: Path) -> None:
    full = problem(409, "That would exceed it.", type="urn:mediatask:problem:upload-quota-exceeded")
    service.on("POST", UPLOADS, full)
    with Client() as client, pytest.raises(Conflict, match="until unused ones expire") as caught:
        client.upload(picture, "demo")
    assert "mediatask get" not in str(caught.value)


def test_an_upload_is_deleted(service: Service) -> None:
    path = f"{UPLOADS}/{'a' * 32}"
    service.on("DELETE", path, problem(409, "The task task-1 uses it."), Answer(204))
    with Client() as client:
        with pytest.raises(Conflict, match="task-1"):
            client.delete_upload("a" * 32, "film")
        client.delete_upload("a" * 32, "film")
    assert [request.query for request in service.asked("DELETE", path)] == [{"project_id": "film"}] * 2


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("id_rsa", b"-----BEGIN OPENSSH PRIVATE KEY-----", "no picture"),
        ("page.png", b"<html>", "no picture"),
        ("empty.png", b"", "is empty"),
        ("gone.png", None, "No such file"),
        (".", None, "Is a directory"),
    ],
)
def test_what_no_task_could_use_stays_here(
    service: Service, tmp_path: Path, name: str, content: bytes | None, said: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with Client() as client, pytest.raises(UsageError, match=said):
        client.submit("demo", "generate_image", {"prompt": "x", "style_guide": tmp_path / name})
    assert not service.requests


# ---- command line


def test_the_verb_prints_references(service: Service, picture: Path) -> None:
    assert run("upload", picture.name, "-p", "demo").stdout == f"{REFERENCE}\n"
    shown = run("upload", picture.name, picture.name, "-p", "demo", "-o", "json").stdout
    assert json.loads(shown) == [{"file": picture.name, "upload_id": "a" * 32, "reference": REFERENCE}] * 2
    assert "Signature" not in shown
    missing = run("upload", "gone.png")
    assert (missing.exit_code, "gone.png" in missing.stderr) == (2, True)


def test_the_verb_deletes_uploads_up_to_the_first_that_is_refused(service: Service) -> None:
    first, second, third = (letter * 32 for letter in "abc")
    service.on("DELETE", f"{UPLOADS}/{first}", Answer(204))
    service.on("DELETE", f"{UPLOADS}/{second}", problem(409, "The task task-1 uses it."))
    ended = run("delete-upload", *(f"upload://{each}" for each in (first, second, third)), "-p", "film")
    assert (ended.exit_code, ended.stdout) == (1, f"upload://{first}\n")
    assert "The task task-1 uses it." in ended.stderr
    assert [(request.method, request.query) for request in service.requests] == [("DELETE", {"project_id": "film"})] * 2
    wrong = run("delete-upload", f"upload://{first}", "noir.png")
    assert (wrong.exit_code, "'noir.png' is no reference of an upload" in wrong.stderr) == (2, True)
    assert len(service.requests) == 2, "nothing is deleted where one of them is wrong"


def test_at_signs_name_files_where_urls_are_expected(service: Service, picture: Path) -> None:
    settings = ("style_guide=@noir style.png", "reference_images=@noir style.png", "negative_prompt=@home")
    ended = run("submit", "generate_image", "@alley", *(word for one in settings for word in ("--set", one)))
    assert ended.exit_code == 0, ended.stderr
    assert submitted(service) == {
        "character_description": "@alley",
        "negative_prompt": "@home",
        "style_guide": REFERENCE,
        "reference_images": [REFERENCE],
    }


def test_files_of_requests_name_files_alike(service: Service, picture: Path) -> None:
    request = {"task_type": "generate_image", "task_data": {"prompt": "@x", "reference_images": ["@noir style.png"]}}
    ended = run("submit", "--file", "-", stdin=json.dumps(request))
    assert ended.exit_code == 0, ended.stderr
    assert submitted(service) == {"prompt": "@x", "reference_images": [REFERENCE]}
    assert service.asked("POST", UPLOADS)[0].body["project_id"] == "default"
