"""Requests that carry more, stranger or larger things than they may."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from pydantic import TypeAdapter, ValidationError

from integration.api.conftest import PROMPT, World
from mediatask_common.kube import TASKS
from mediatask_common.settings import StoreSettings
from mediatask_common.store import open_store
from mediatask_common.store.base import InvalidKey, artifact_key, check_key, task_folder
from mediatask_common.store.file import FileStore
from mediatask_crds.artifact import FileName
from mediatask_crds.names import label_value
from mediatask_crds.task import ProjectId, Tag
from support.apiserver import CRDS
from support.front import Figure

# What a Job, its pods and its metadata have.
JOB_FIELDS = re.findall(
    r"\w+",
    """
    apiVersion kind metadata name generateName namespace labels annotations finalizers ownerReferences uid
    resourceVersion generation creationTimestamp deletionTimestamp managedFields spec status template
    activeDeadlineSeconds backoffLimit completions parallelism suspend ttlSecondsAfterFinished podFailurePolicy
    containers initContainers ephemeralContainers image imagePullPolicy imagePullSecrets command args env envFrom
    workingDir volumes volumeMounts hostPath hostNetwork hostPID hostIPC hostUsers securityContext privileged runAsUser
    runAsNonRoot capabilities allowPrivilegeEscalation serviceAccountName serviceAccount automountServiceAccountToken
    nodeName nodeSelector affinity tolerations priorityClassName runtimeClassName schedulerName resources limits
    requests restartPolicy terminationGracePeriodSeconds dnsPolicy dnsConfig hostAliases lifecycle
""",
)
SUBMITTED = {"project_id", "task_type", "task_data", "priority", "tags", "not_before", "callback_url", "metadata"}


def properties(schema: Any) -> Iterator[str]:
    """Names of all fields, at any depth."""
    if isinstance(schema, dict):
        for name, value in schema.items():
            if name == "properties":
                yield from value
            yield from properties(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from properties(item)


def field_names() -> list[str]:
    """Of our resources and of Jobs, in both spellings."""
    names = set(JOB_FIELDS)
    for path in CRDS.glob("*.yaml"):
        names |= set(properties(yaml.safe_load(path.read_text())))
    snake = {re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower() for name in names}
    return sorted(names | snake)


async def test_fields_of_resources_over_rest(world: World, figure: Figure) -> None:
    names = [name for name in field_names() if name not in SUBMITTED]
    values: list[Any] = [True, 1, "x", {"x": "y"}, ["x"]]
    task_id = await world.submit()
    data_fields = {"prompt_template", "prompt_id", "agent_type", "test_parameters", "test_result_id"}
    bodies = [{**PROMPT, name: values[number % 5]} for number, name in enumerate(names)]
    bodies += [
        {**PROMPT, "task_data": {**PROMPT["task_data"], name: values[number % 5]}}
        for number, name in enumerate(names)
        if name not in data_fields
    ]
    tried = refused = 0
    for start in range(0, len(bodies), 100):
        tasks = bodies[start : start + 100]
        answer = await world.api.post("/tasks/batch", json={"tasks": tasks})
        tried += len(tasks)
        if answer.status_code == 400:
            refused += len(tasks)
        else:
            refused += [result["status"] for result in answer.json()["results"]].count(400)
    others = [
        ("POST", "/tasks/submit", PROMPT),
        ("POST", "/tasks/batch", {"tasks": [PROMPT]}),
        ("POST", "/tasks/estimate", PROMPT),
        ("PATCH", f"/tasks/{task_id}", {"priority": 1}),
        ("POST", "/keys", {"name": "k", "projects": ["film"], "role": "viewer"}),
        (
            "POST",
            "/uploads",
            {"project_id": "film", "filename": "x.png", "content_type": "image/png", "bytes": 1, "sha256": "0" * 64},
        ),
    ]
    before = len((await world.kube.list(TASKS, world.namespace))["items"])
    for method, path, body in others:
        for name in (
            "spec",
            "status",
            "metadata_",
            "annotations",
            "labels",
            "className",
            "class_name",
            "nodeSelector",
            "owner",
            "scopes_",
            "id",
        ):
            answer = await world.api.request(method, path, json={**body, name: {"x": 1}})
            if answer.status_code in (404, 405):
                break  # there is no such call
            tried += 1
            refused += answer.status_code == 400
    tasks = (await world.kube.list(TASKS, world.namespace))["items"]
    figure(f"{refused} of {tried} refused: {len(names)} names of fields, in the request and in its task_data")
    assert refused == tried
    assert len(tasks) == before == 1


PIECES = [
    *(
        "..",
        ".",
        "/",
        "\\",
        "%2e%2e",
        "%2f",
        "%00",
        "\0",
        "~",
        "a",
        "B",
        "9",
        "-",
        "_",
        " ",
        "\n",
        "\r\n",
        "\t",
        "*",
        "?",
    ),
    *(
        "[",
        "]",
        "{",
        "}",
        "|",
        "<",
        ">",
        "$(id)",
        "`id`",
        ";",
        "&",
        "'",
        '"',
        "=",
        ",",
        "!",
        "in (a)",
        "//",
        "projects/",
    ),
    *(
        "\u202e",
        "\u2215",
        "\uff0f",
        "\u2024\u2024",
        "\u00e9",
        "e\u0301",
        "\U0001f4a9",
        "\ud800",
        "CON",
        "result.json",
        "logs",
    ),
    *("x" * 63, "y" * 240, "z" * 300, "../" * 20, "C:", "file:///etc/passwd", "?X-Amz-Expires=1", "#", "+", "@"),
]
STRINGS = 5000
LABEL = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")


def strings() -> Iterator[str]:
    """The same ones in each run."""
    chance = random.Random(11)
    yield from PIECES
    for _ in range(STRINGS - len(PIECES)):
        yield "".join(chance.choices(PIECES, k=chance.randint(1, 5)))


def test_strings_in_labels_and_keys(tmp_path: Path, figure: Figure) -> None:
    """As project, tag, file name, task name and key: refused, or kept within what is theirs."""
    files = FileStore(StoreSettings(folder=tmp_path / "media"))
    s3 = open_store(
        StoreSettings(
            kind="s3", endpoint_url="http://s3.example", bucket="bucket", region="auto", addressing="path",
            access_key_id="a", secret_access_key="b",
        )
    )  # fmt: skip
    root = (tmp_path / "media" / "objects").resolve()
    projects, tags, names = TypeAdapter(ProjectId), TypeAdapter(Tag), TypeAdapter(FileName)
    keys = accepted = 0
    for text in strings():
        try:
            text.encode()
        except UnicodeEncodeError:
            pass  # JSON over REST cannot hold it
        else:
            value = label_value(text)
            assert len(value) <= 63
            assert LABEL.fullmatch(value), ascii(text)
        for adapter in (projects, tags):
            try:
                assert label_value(adapter.validate_python(text)) == text, "a selector finds what was asked for"
                accepted += 1
            except ValidationError:
                pass
        tries = [text]
        try:
            tries.append(artifact_key("film", "uid", 1, names.validate_python(text)))
            assert tries[-1].startswith(task_folder("film", "uid") + "1/")
            assert tries[-1].count("/") == 4
            accepted += 1
        except ValidationError:
            pass
        for key in tries:
            try:
                check_key(key)
            except InvalidKey:
                for call in (files.path, files.download_url, s3.download_url):
                    with pytest.raises(InvalidKey):
                        call(key)
                continue
            keys += 1
            path = files.path(key)
            assert path.resolve().is_relative_to(root), ascii(key)
            assert path.parent.relative_to(files.path("x").parent.parent).as_posix() == key
            for url in (files.download_url(key), s3.download_url(key)):
                assert unquote(urlsplit(url).path).endswith(f"/{key}"), ascii(key)
                assert "/../" not in urlsplit(url).path
    figure(f"{STRINGS} strings: {keys} keys, each in its own place; {accepted} accepted as names, 0 escapes")
    assert keys > 100
    assert accepted > 100


LIMIT = 256 * 1024


async def test_bodies_one_byte_too_large(open_front: Any, figure: Figure) -> None:
    tried = 0
    async with open_front() as front:
        host, port = "127.0.0.1", int(front.urls[0].rpartition(":")[2])
        _, key = await front.new_key("*")

        async def status(path: str, size: int, chunked: bool) -> int:
            reader, writer = await asyncio.open_connection(host, port)
            framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {size}"
            head = f"POST /api/v1{path} HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\n{framing}\r\n\r\n"
            content = json.dumps({"x": ""}).encode()
            content = content[:-2] + b"x" * (size - len(content)) + content[-2:]
            if chunked:
                content = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in pieces(content))
                content += b"0\r\n\r\n" if size <= LIMIT else b""
            elif size > LIMIT:
                content = b""  # its length is enough; what is sent to a closed door may reset the answer
            writer.write(head.encode() + content)
            line = await reader.readline()
            writer.close()
            return int(line.split()[1])

        for path in ("/tasks/submit", "/keys", "/uploads"):
            for chunked in (False, True):
                assert await status(path, LIMIT + 1, chunked) == 413, path
                assert await status(path, LIMIT, chunked) == 400, "read, and refused for what it says"
                tried += 1
    figure(f"{tried} of {tried} refused at {LIMIT} + 1 bytes, with a length and chunked")


def pieces(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), 4096):
        yield content[start : start + 4096]
