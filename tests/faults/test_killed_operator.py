"""kill -9 of the operator between any two steps of a task's life: nothing visible is done twice.

A point is a name in `POINTS`, and a call of `Killer.at` where it comes to pass.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from mediatask_common.kube import JOBS, TASKS, Kube, KubeError
from mediatask_crds.names import LABEL_TASK
from mediatask_local.up import UpInfo, embedded
from support.mode import Receiver, Rest, until
from support.payload.server import RunningPayload, payload_server

POINTS = [
    "a Job has been created",
    "a document is about to be created",
    "a document has been created, and nobody told",
    "a webhook has arrived, and is not answered",
    "a webhook has been answered",
]
MORE_POINTS = ["the status says that it runs", "the status says that it has ended", "a document is looked for"]
"""Of the long form: each kill makes the supervisor wait longer before the next start."""
if os.environ.get("MEDIATASK_FAULTS") == "long":
    POINTS += MORE_POINTS


class Killer:
    """Kills the operator once, the next time that something comes to pass."""

    def __init__(self) -> None:
        self.folder = Path()
        self._armed: str | None = None
        self._lock = threading.Lock()

    def arm(self, point: str) -> None:
        self._armed = point

    @property
    def armed(self) -> bool:
        """Whether it has not come to pass yet."""
        return self._armed is not None

    def at(self, point: str) -> bool:
        """Something comes to pass; whether it was the end of the operator."""
        with self._lock:
            if self._armed != point:
                return False
            os.kill(UpInfo.read(self.folder).pids["operator"], signal.SIGKILL)
            self._armed = None
            return True


@contextmanager
def way_to(payload: RunningPayload, killer: Killer) -> Iterator[str]:
    """The address of a proxy before PayloadCMS which sees each request before and after it is carried out."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            killer.at("a document is looked for")
            self._answer(self._carry(b""))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if killer.at("a document is about to be created"):
                return
            answer = self._carry(body)
            if not killer.at("a document has been created, and nobody told"):
                self._answer(answer)

        def _carry(self, body: bytes) -> httpx.Response:
            url = f"{payload.url}{self.path.removeprefix('/api')}"
            headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            return httpx.request(self.command, url, content=body, headers=headers, timeout=60, trust_env=False)

        def _answer(self, answer: httpx.Response) -> None:
            with suppress(OSError):  # whoever asked may be gone
                self.send_response(answer.status_code)
                self.send_header("Content-Length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/api"
    finally:
        server.shutdown()
        server.server_close()


class Watch:
    """What the API server tells of Jobs and tasks, from a thread of its own."""

    def __init__(self, kubeconfig: Path, killer: Killer) -> None:
        self.jobs: dict[str, set[str]] = {}
        """UIDs of all Jobs that there have been, by task and attempt."""
        self._killer = killer
        threading.Thread(target=lambda: asyncio.run(self._run(kubeconfig)), daemon=True).start()

    async def _run(self, kubeconfig: Path) -> None:
        async with await Kube.connect(kubeconfig) as kube:
            with suppress(KubeError):  # the local mode has ended
                await asyncio.gather(self._jobs(kube), self._tasks(kube))

    async def _jobs(self, kube: Kube) -> None:
        version = (await kube.list(JOBS, "default"))["metadata"]["resourceVersion"]
        async for kind, job in kube.watch(JOBS, "default", version):
            if kind == "ADDED":
                self.jobs.setdefault(job["metadata"]["labels"][LABEL_TASK], set()).add(job["metadata"]["uid"])
                self._killer.at("a Job has been created")

    async def _tasks(self, kube: Kube) -> None:
        version = (await kube.list(TASKS, "default"))["metadata"]["resourceVersion"]
        async for _, task in kube.watch(TASKS, "default", version):
            phase = (task.get("status") or {}).get("phase")
            if phase == "processing":
                self._killer.at("the status says that it runs")
            elif phase == "completed":
                self._killer.at("the status says that it has ended")


@dataclass(frozen=True)
class Scene:
    """The local mode with its neighbours, and who kills its operator."""

    info: UpInfo
    payload: RunningPayload
    receiver: Receiver
    killer: Killer
    watch: Watch


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder, killer = tmp_path_factory.mktemp("killed"), Killer()
    with (
        payload_server(folder / "payload") as payload,
        way_to(payload, killer) as url,
        Receiver() as receiver,
        pytest.MonkeyPatch.context() as patch,
    ):
        receiver.arrived = lambda: killer.at("a webhook has arrived, and is not answered") and None
        receiver.answered = lambda: killer.at("a webhook has been answered") and None
        patch.setenv("PAYLOAD_API_URL", url)
        patch.setenv("PAYLOAD_API_KEY", payload.key)
        patch.setenv("MEDIATASK_PAYLOAD_WEBHOOK_WAIT_SECONDS", "120")
        for name in ("REDIS_URL", "MEDIATASK_REDIS_URL"):
            patch.delenv(name, raising=False)
        with embedded(folder / "state") as info:
            killer.folder = folder / "state"
            receiver.secret = info.webhook_secret
            yield Scene(info, payload, receiver, killer, Watch(info.kubeconfig, killer))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("point", POINTS)
def test_nothing_is_done_twice_when_the_operator_is_killed_as(
    scene: Scene, point: str, figure: Callable[[str], None]
) -> None:
    rest, receiver = Rest(scene.info), scene.receiver
    scene.killer.arm(point)
    began = time.monotonic()
    task = rest.submit(point, "killed", callback_url=receiver.url)
    until(lambda: not scene.killer.armed)
    until(lambda: rest.has_ended(task))
    until(lambda: _delivered(scene.info, task), 120)
    took = time.monotonic() - began
    answer = rest.status(task)
    assert (answer["status"], answer["attempt"]) == ("completed", 1)
    documents = [str(one["id"]) for one in scene.payload.documents() if one["task_id"] == task]
    assert documents == [answer["result"]["payload_media_id"]]
    [job] = scene.watch.jobs[task]
    assert job
    deliveries = Counter(receiver.ids[task])
    assert len(deliveries) == 1, "by which the receiver knows a repetition"
    told = receiver.messages[task]
    assert all(message == told[0] for message in told)
    assert told[0]["result"]["payload_media_id"] == documents[0]
    figure(f"1 Job, 1 document, 1 webhook id ({len(told)} deliveries); {took:.1f} s with the restart")


def _delivered(info: UpInfo, task: str) -> bool:
    answer = httpx.get(
        f"{info.api_url}/api/v1/tasks/{task}/webhook", headers={"X-API-Key": info.api_key}, timeout=30
    ).raise_for_status()
    return answer.json()["delivered_at"] is not None
