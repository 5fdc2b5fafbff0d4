"""Secrets as canaries: planted where they belong, and looked for everywhere else after tasks that end in every way."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import re
import secrets
import shutil
import subprocess
import tempfile
import threading
import wave
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from mediatask_common.kube import CLASSES, EVENTS, JOBS, NODES, PODS, SECRETS, TASKS, Kube
from mediatask_local.die_with_parent import die_with_parent
from mediatask_local.redisserver import RedisServer
from mediatask_local.up import UpInfo, embedded
from support.front import Figure
from support.gate import make_gated_class
from support.inputs import announced
from support.mode import Rest, processes_of, until
from support.redisserver import redis_program
from support.s3server import s3_program

PROJECT = "canaries"


def canary(name: str) -> str:
    return f"canary-{name}-{secrets.token_hex(8)}"


class Receiver:
    """Takes webhooks, refuses the first try of each, and keeps all that it was sent."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                seen = body in receiver.bodies
                receiver.bodies.append(body)
                receiver.headers.append({name.lower(): value for name, value in self.headers.items()})
                self.send_response(204 if seen else 500)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/webhook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class LockedRedis:
    """A server with a password."""

    def __init__(self, folder: Path, password: str) -> None:
        server = RedisServer(redis_program(), folder)
        config = folder / "redis.conf"
        config.write_text(f"requirepass {password}\n")
        config.chmod(0o600)
        self.folder = folder
        self.url = f"unix://:{password}@{server.socket}"
        program, *options = server.command
        command = die_with_parent([program, str(config), *options])
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(server.socket.exists)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()

    def content(self) -> bytes:
        """Every command that has written something."""
        return b"".join(file.read_bytes() for file in (self.folder / "appendonlydir").iterdir())


@contextmanager
def locked_redis(password: str) -> Iterator[LockedRedis]:
    folder = Path(tempfile.mkdtemp(prefix="mediatask-redis-"))  # the path of a Unix socket is short
    redis = LockedRedis(folder, password)
    try:
        yield redis
    finally:
        redis.stop()
        shutil.rmtree(folder)


def recording() -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(bytes(32000))
    return out.getvalue()


async def everything(info: UpInfo) -> dict[str, str]:
    """All resources, as text, by kind."""
    async with await Kube.connect(info.kubeconfig) as kube:
        kinds = (TASKS, CLASSES, JOBS, PODS, EVENTS, NODES, SECRETS)
        return {f"resources: {kind.plural}": json.dumps(await kube.list(kind)) for kind in kinds}


def pod_tokens(folder: Path) -> set[str]:
    found = set()
    for place, _, files in os.walk(folder / "pods"):  # unlike rglob it does not mind folders that vanish
        if "token" in files:
            with suppress(OSError):
                found.add(Path(place, "token").read_text().strip())
    return found


@pytest.mark.timeout(400)
def test_twenty_canaries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, figure: Figure) -> None:
    s3_program()
    planted = {name: canary(name) for name in ("redis-password", "webhook-api-key")}
    key_file = tmp_path / "webhook-api-key"
    key_file.write_text(planted["webhook-api-key"])
    monkeypatch.setenv("MEDIATASK_WEBHOOK_API_KEY_FILE", str(key_file))
    monkeypatch.setenv("MEDIATASK_WEBHOOK_API_KEY_HOSTS", '["127.0.0.1"]')
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "HF_TOKEN", "PAYLOAD_API_KEY"):
        planted[name] = canary(name)
        monkeypatch.setenv(name, planted[name])
    folder = tmp_path / "up"
    receiver = Receiver()
    with locked_redis(planted["redis-password"]) as redis:
        monkeypatch.setenv("REDIS_URL", redis.url)
        with embedded(folder, store="s3", gpus=2) as info:
            told = attack(info, folder, tmp_path / "gate", receiver, planted)
            redis.stop()
            for path in ("health", "health/ready", f"projects/{PROJECT}/tasks", "stats"):
                told.append(httpx.get(f"{info.api_url}/api/v1/{path}", headers={"X-API-Key": info.api_key}, timeout=30))
            places: dict[str, str] = asyncio.run(everything(info))
            places["process arguments"] = "\n".join(processes_of(folder).values())
            for name, url in (("operator", info.metrics_url), ("API", info.api_metrics_url)):
                places[f"metrics: {name}"] = httpx.get(url, timeout=30).text
        places["Redis"] = redis.content().decode(errors="replace")
    logs = [*folder.glob("logs/*"), *(folder / "pods").rglob("log*"), folder / "up.log"]
    places |= {f"log: {path.relative_to(folder)}": path.read_text(errors="replace") for path in logs if path.is_file()}
    places["webhook bodies"] = b"\n".join(receiver.bodies).decode()
    places["webhook headers"] = json.dumps([{**sent, "x-api-key": ""} for sent in receiver.headers])
    for number, answer in enumerate(told):
        about = f"{answer.request.method} {answer.request.url.path}"
        places[f"answer {number}: {answer.status_code} to {about}"] = f"{answer.text}\n{dict(answer.headers)}"
    # A message tells where the media is: that link is the receiver's, as the answers' links are their caller's.
    links = {name for name in planted if name.startswith("signature")}
    leaks = [
        (name, place)
        for place, text in places.items()
        for name, value in planted.items()
        if value in text and not (name in links and (place == "webhook bodies" or place.startswith("answer")))
    ]
    leaks += [
        ("a signature", place)
        for place, text in places.items()
        if re.search(r"X-Amz-Signature=[0-9a-f]{64}", text)
        and not (place == "webhook bodies" or place.startswith("answer"))
    ]
    size = sum(map(len, places.values())) / 1024
    figure(f"{len(planted)} canaries in {len(places)} places ({size:.0f} KiB): {len(leaks)} found")
    assert leaks == []
    assert len(planted) >= 20
    assert '"audit"' in places["log: logs/api.log"], "what callers did is there, without their secrets"
    for body, headers in zip(receiver.bodies, receiver.headers, strict=True):
        Webhook(info.webhook_secret).verify(body, headers)
        assert headers["x-api-key"] == planted["webhook-api-key"]


def attack(info: UpInfo, folder: Path, gate: Path, receiver: Receiver, planted: dict[str, str]) -> list[httpx.Response]:
    """Let tasks complete, fail, be tried again and be cancelled; the answers to all that callers asked."""
    told: list[httpx.Response] = []
    rest = Rest(info)
    api = httpx.Client(base_url=f"{info.api_url}/api/v1", headers={"X-API-Key": info.api_key}, timeout=60)
    api.event_hooks = {"response": [lambda answer: (answer.read(), told.append(answer))]}
    secret_files = ("s3-secret-access-key", "store-secret")
    planted |= {name: (folder / "secrets" / name).read_text() for name in secret_files}
    planted["admin API key"] = info.api_key
    planted["webhook secret"] = info.webhook_secret.removeprefix("whsec_")
    planted["webhook secret, decoded"] = base64.b64decode(planted["webhook secret"]).hex()
    config = info.kubeconfig.read_text()
    credential = re.search(r"(?:client-key-data|token): *\"?([\w+/=.-]+)", config)
    assert credential is not None
    planted["kubeconfig"] = credential[1]
    # Keys that callers make, use where they should and should not, and lose.
    made = httpx.post(
        f"{info.api_url}/api/v1/keys",
        headers={"X-API-Key": info.api_key},
        json={"name": "writer", "projects": [PROJECT], "role": "writer"},
        timeout=60,
    ).json()
    planted["writer's API key"] = made["key"]
    for name in ("query", "path", "cookie", "basic password", "bearer", "guessed key", "JSON field"):
        planted[name] = canary(name.replace(" ", "-").replace("'", ""))
    writer = {"X-API-Key": made["key"]}
    until(lambda: api.get("/task-types", headers=writer).status_code == 200)
    api.get("/task-types", params={"api_key": planted["query"]})
    api.get("/keys", headers=writer)
    api.get("/tasks/nothing/status", headers={"Cookie": f"session={planted['cookie']}"})
    basic = base64.b64encode(f"user:{planted['basic password']}".encode()).decode()
    for headers in (
        {"X-API-Key": "", "Authorization": f"Basic {basic}"},
        {"X-API-Key": "", "Authorization": f"Bearer {planted['bearer']}"},
        {"X-API-Key": f"mtk_{planted['guessed key']}"},
    ):
        assert api.post("/tasks/submit", json={}, headers=headers).status_code == 401
    assert api.delete(f"/tasks/x/{planted['path']}", headers={"X-API-Key": "wrong"}).status_code == 404
    told.pop()  # an answer names the path that was asked for: `instance`
    body = {"project_id": PROJECT, "task_type": "test_prompt", "task_data": {"prompt_template": "x"}}
    assert api.post("/tasks/submit", json={**body, "password": {"is": planted["JSON field"]}}).status_code == 400
    # An upload as the input of a task that completes, with every kind of credential about.
    content = recording()
    grant = api.post(
        "/uploads", json=announced(content, PROJECT, filename="voice.wav", content_type="audio/wav")
    ).json()
    planted["signature of an upload"] = re.search(r"X-Amz-Signature=(\w+)", grant["url"])[1]  # type: ignore[index]
    assert httpx.put(grant["url"], headers=grant["headers"], content=content, timeout=60).is_success
    voice = {"text": "All is well.", "character_voice_profile": grant["reference"]}
    again = {"callback_url": receiver.url}
    completed = rest.submit("completed", PROJECT, task_type="process_audio", task_data=voice, **again)
    failed = rest.submit("failed", PROJECT, task_data={"prompt_template": "without {{what}}"}, **again)
    tokens: set[str] = set()

    def ends(task: str, status: str) -> bool:
        tokens.update(pod_tokens(folder))
        return rest.status(task)["status"] == status

    until(lambda: ends(completed, "completed"), 120)
    until(lambda: ends(failed, "failed"), 120)
    asyncio.run(make_gated_class(info.kubeconfig, gate))
    cancelled = rest.submit("cancelled", PROJECT, **again)
    until(lambda: ends(cancelled, "processing"), 120)
    api.delete(f"/tasks/{cancelled}/cancel")
    until(lambda: ends(cancelled, "cancelled"), 120)
    attempt = rest.status(failed)["attempt"]
    assert api.post(f"/tasks/{failed}/retry").status_code == 202
    until(lambda: rest.status(failed)["attempt"] > attempt and ends(failed, "failed"), 120)
    for task in (completed, failed, cancelled):
        for path in ("status", "logs", "webhook", "events"):
            api.get(f"/tasks/{task}/{path}")
    shown = api.get(f"/tasks/{completed}/status").json()["result"]["media_url"]
    planted["signature of a result"] = re.search(r"X-Amz-Signature=(\w+)", shown)[1]  # type: ignore[index]
    assert tokens
    planted |= {f"pod token {number}": token for number, token in enumerate(tokens)}
    assert api.delete(f"/keys/{made['id']}").is_success
    until(lambda: api.get("/task-types", headers=writer).status_code == 401)
    until(lambda: len(set(receiver.bodies)) >= 3 and len(receiver.bodies) >= 6, 120)
    return told
