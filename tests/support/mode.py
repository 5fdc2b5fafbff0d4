"""The local mode under test: its processes, a client for it, and a receiver for its webhooks."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol, Self

import httpx
from standardwebhooks import Webhook

from mediatask_common.redisview import RedisError, RedisView
from mediatask_local.up import UpInfo

TIMEOUT = 60.0


def processes_of(folder: Path) -> dict[int, str]:
    """Command lines, by pid, of the living processes that work on a folder: it is in their arguments or variables."""
    needle = str(folder).encode()
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes()
            # Variables of the test run itself may name the folder, too: only those of pods are asked.
            environment = (entry / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        pod = any(variable.startswith(b"EMBEDDED_POD_UID=") for variable in environment)
        if needle in command or (pod and any(needle in variable for variable in environment)):
            found[int(entry.name)] = command.replace(b"\0", b" ").decode(errors="replace")[:200]
    return found


def pod_processes(task: str) -> list[int]:
    """Processes of the pods of a task."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                environment = (entry / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if any(variable.startswith(b"MEDIATASK_SPEC=") and task.encode() in variable for variable in environment):
                found.append(int(entry.name))
    return found


def kill(info: UpInfo, folder: Path, name: str) -> None:
    """kill -9 one of the processes; `up` apart, wait until another one has taken its place."""
    old = UpInfo.read(folder).pids[name] if name != "up" else info.pids["up"]
    os.kill(old, signal.SIGKILL)
    if name != "up":
        until(lambda: UpInfo.read(folder).pids[name] != old)


def until(holds: Callable[[], Any], seconds: float = TIMEOUT, *, every: float = 0.1) -> Any:
    """The first true answer; fails after a while."""
    deadline = time.monotonic() + seconds
    while True:
        answer = holds()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(every)


class Service(Protocol):
    """Where a service is, and a key for it."""

    @property
    def api_url(self) -> str: ...
    @property
    def api_key(self) -> str: ...


class Rest:
    """A caller who tries again while the service is away, as the contract asks."""

    def __init__(self, service: Service) -> None:
        headers = {"X-API-Key": service.api_key}
        self._client = httpx.Client(base_url=f"{service.api_url}/api/v1", headers=headers, timeout=30)

    def submit(self, key: str, project: str, **more: Any) -> str:
        """An acknowledged task's id."""
        body = {
            "project_id": project,
            "task_type": "test_prompt",
            "task_data": {"prompt_template": "a {{what}}", "test_parameters": {"what": key}},
            **more,
        }
        id_: str = self._again("POST", "/tasks/submit", json=body, headers={"Idempotency-Key": key})["task_id"]
        return id_

    def status(self, task: str) -> dict[str, Any]:
        return self._again("GET", f"/tasks/{task}/status")

    def has_ended(self, task: str) -> bool:
        return self.status(task)["status"] in ("completed", "failed", "cancelled")

    def count(self, project: str, status: str) -> int:
        """How many of a project's tasks have a status."""
        total: int = self._again("GET", f"/projects/{project}/tasks", params={"status": status})["total"]
        return total

    def cancel(self, task: str) -> None:
        self._again("DELETE", f"/tasks/{task}/cancel")

    def retry(self, task: str) -> None:
        self._again("POST", f"/tasks/{task}/retry")

    def _again(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        deadline = time.monotonic() + TIMEOUT
        while True:
            try:
                response = self._client.request(method, path, **request)
                if response.status_code < 500 and response.status_code != 429:
                    response.raise_for_status()
                    answer: dict[str, Any] = response.json()
                    return answer
            except httpx.TransportError:
                pass
            assert time.monotonic() < deadline, f"{method} {path}: no answer within {TIMEOUT} s"
            time.sleep(0.2)


def listed(info: UpInfo, project: str) -> set[str]:
    """The tasks that the API lists: its first answer."""
    answer = httpx.get(
        f"{info.api_url}/api/v1/projects/{project}/tasks", headers={"X-API-Key": info.api_key}, timeout=30
    )
    return {task["task_id"] for task in answer.raise_for_status().json()["tasks"]}


def in_view(info: UpInfo, project: str) -> set[str]:
    """The tasks that Redis holds, once the operator vouches for it."""
    url = info.redis_url
    assert url is not None

    async def read() -> set[str]:
        view = RedisView.open(url, "default")
        try:
            if not await view.fresh():
                return set()
            return {task["metadata"]["name"] for task in (await view.list(project))[0]}
        except RedisError:
            return set()
        finally:
            await view.close()

    return asyncio.run(read())


class Receiver:
    """Takes webhooks on loopback and keeps them by task; a signature that does not fit is answered with 401.

    There within its block; meanwhile it may go away, and come back at the same address.
    """

    def __init__(self) -> None:
        self.port = 0
        self.secret = ""
        self.ids: dict[str, list[str]] = {}
        self.messages: dict[str, list[dict[str, Any]]] = {}
        self.arrived: Callable[[], None] = lambda: None
        """Called between a webhook's arrival and its answer."""
        self.answered: Callable[[], None] = lambda: None
        self._server = self._listen()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/webhook"

    def close(self) -> None:
        """Be away."""
        self._server.shutdown()
        self._server.server_close()

    def open(self) -> None:
        """Be there again."""
        self._server = self._listen()
        self._serve()

    def _serve(self) -> None:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def _listen(self) -> ThreadingHTTPServer:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                try:
                    Webhook(receiver.secret).verify(body, dict(self.headers.items()))
                except Exception:
                    self.send_response(401)
                else:
                    message = json.loads(body)
                    receiver.ids.setdefault(message["task_id"], []).append(self.headers["webhook-id"])
                    receiver.messages.setdefault(message["task_id"], []).append(message)
                    receiver.arrived()
                    self.send_response(204)
                with contextlib.suppress(OSError):  # whoever sent it may be gone
                    self.end_headers()
                receiver.answered()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.port = server.server_address[1]
        return server

    def __enter__(self) -> Self:
        self._serve()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
