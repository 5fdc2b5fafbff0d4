"""The job runs as a real process against a real server on loopback that plays the API's internal routes.

Uploads land in memory, create-only, as an S3 store with `If-None-Match: *` would have it. The same server hands
out inputs under /inputs/ from a folder.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from mediatask_crds.podcontract import AttemptReport, ProgressReport, TerminationMessage
from mediatask_local.die_with_parent import die_with_parent
from support.warm import WarmProcess

TOKEN = "a-token-of-this-pod"
TASK = "task-1"


@dataclass
class Store:
    """What the server has seen, and how it is to behave."""

    folder: Path
    url: str = ""
    objects: dict[str, bytes] = field(default_factory=dict)
    results: list[dict[str, Any]] = field(default_factory=list)
    reports: list[dict[str, Any]] = field(default_factory=list)
    understands: type[AttemptReport] = ProgressReport
    """What a report may say."""
    refused: list[dict[str, Any]] = field(default_factory=list)
    """Reports that say more."""
    previews: list[dict[str, Any]] = field(default_factory=list)
    input_requests: list[str] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)
    """What the API says of inputs, by name."""
    tokens: set[str] = field(default_factory=lambda: {TOKEN})
    """Accepted tokens."""
    failures: dict[str, list[int]] = field(default_factory=dict)
    """Statuses to answer with, by route, each once, before the right answer."""
    always: dict[str, int] = field(default_factory=dict)
    """Statuses to answer with for ever, by route."""
    silent: set[str] = field(default_factory=set)
    """Routes that never answer."""
    hangs_up: bool = False
    """On an upload to a taken key: the connection ends before the answer is read."""
    cancel: bool = False
    published_before: bool = False
    task_data: dict[str, Any] = field(default_factory=dict)
    """Answer of the data route."""
    together: asyncio.Barrier | None = None
    """Requests for inputs that have to be under way at once before any is answered."""
    slow_input: float = 0.0
    """Seconds between the pieces of /inputs/drip."""

    def refusal(self, route: str, request: web.Request | None = None) -> web.Response | None:
        if request is not None and request.headers.get("Authorization") not in {f"Bearer {t}" for t in self.tokens}:
            return web.json_response({"title": "Unauthorized"}, status=401)
        if route in self.always:
            return web.json_response({"title": "no"}, status=self.always[route])
        if self.failures.get(route):
            return web.json_response({"title": "later"}, status=self.failures[route].pop(0))
        return None


def _application(store: Store) -> web.Application:
    async def data(request: web.Request) -> web.Response:
        return store.refusal("data", request) or web.json_response(store.task_data)

    async def progress(request: web.Request) -> web.Response:
        if refused := store.refusal("progress", request):
            return refused
        report = await request.json()
        try:
            store.understands.model_validate(report)
        except ValidationError as error:
            store.refused.append(report)
            return web.json_response({"title": "Bad Request", "detail": str(error)}, status=400)
        store.reports.append(report | {"at": time.monotonic()})
        return web.json_response({"cancel": store.cancel})

    async def preview(request: web.Request) -> web.Response:
        store.previews.append(await request.json())
        if "preview" in store.silent:
            await asyncio.Event().wait()
        return store.refusal("preview", request) or web.json_response({"cancel": False})

    async def artifacts(request: web.Request) -> web.Response:
        if refused := store.refusal("artifacts", request):
            return refused
        asked = await request.json()
        key = f"projects/p/uid/{asked['attempt']}/{asked['name']}"
        headers = {"Content-Type": asked["content_type"], "If-None-Match": "*"}
        return web.json_response({"key": key, "method": "PUT", "url": f"{store.url}/store/{key}", "headers": headers})

    async def put(request: web.Request) -> web.Response:
        if refused := store.refusal("put"):
            return refused
        assert request.headers["If-None-Match"] == "*"
        assert "chunked" not in request.headers.get("Transfer-Encoding", "")
        key = request.match_info["key"]
        if key in store.objects and store.hangs_up:
            assert request.transport is not None
            request.transport.abort()
        body = await request.read()
        if key in store.objects:
            return web.Response(status=412)
        store.objects[key] = body
        return web.Response()

    async def inputs(request: web.Request) -> web.Response:
        if refused := store.refusal("inputs", request):
            return refused
        refs = (await request.json())["refs"]
        names = {ref: ref.partition("://")[2].replace("/", "-") for ref in refs}
        known = {ref: name for ref, name in names.items() if (store.folder / name).exists()}
        urls = {ref: f"{store.url}/inputs/{name}" for ref, name in known.items()}
        digests = {ref: store.digests[name] for ref, name in known.items() if name in store.digests}
        return web.json_response({"urls": urls, "sha256": digests})

    async def result(request: web.Request) -> web.Response:
        if refused := store.refusal("result", request):
            return refused
        report = await request.json()
        superseded = store.published_before or bool(store.results)
        if not superseded:
            store.results.append(report)
        return web.json_response({"result_key": "projects/p/uid/result.json", "superseded": superseded})

    async def input_file(request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        store.input_requests.append(name)
        if store.together is not None:
            await store.together.wait()
        if name == "drip":
            answer = web.StreamResponse()
            await answer.prepare(request)
            while True:
                await answer.write(b"x")
                await asyncio.sleep(store.slow_input)
        if name.startswith("redirect/"):
            raise web.HTTPFound(request.query.get("to", request.path))
        file = store.folder / name
        return web.FileResponse(file) if file.is_file() else web.Response(status=404)

    application = web.Application(client_max_size=1 << 30)
    base = f"/internal/v1/tasks/{TASK}"
    application.add_routes(
        [
            web.get(f"{base}/data", data),
            web.post(f"{base}/progress", progress),
            web.post(f"{base}/preview", preview),
            web.post(f"{base}/artifacts", artifacts),
            web.post(f"{base}/inputs", inputs),
            web.post(f"{base}/result", result),
            web.put("/store/{key:.+}", put),
            web.get("/inputs/{name:.+}", input_file),
        ]
    )
    return application


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """The server, in a thread of its own, because the tests wait for processes."""
    folder = tmp_path / "served"
    folder.mkdir()
    store = Store(folder)
    loop = asyncio.new_event_loop()
    runner = web.AppRunner(_application(store), shutdown_timeout=0.1)

    async def start() -> None:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        store.url = f"http://{host}:{port}"

    loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield store
    asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@dataclass
class Ended:
    """A job that has ended."""

    code: int
    words: TerminationMessage
    log: str
    termination: bytes


PATIENCE = 500
"""Seconds that a job may take on a busy machine, most of them for imports; an idle one needs a few."""


class Job:
    """A process of `python -m mediatask_job`: unless `cold`, forked from one that has the libraries."""

    def __init__(self, env: dict[str, str], folder: Path, setup: str, *, cold: bool) -> None:
        self.folder = folder
        self._termination = Path(env["MEDIATASK_TERMINATION_LOG"])
        self._log = folder / "log"
        self.process: WarmProcess | subprocess.Popen[bytes]
        if not cold:
            self.process = WarmProcess("mediatask_job", env, self._log, setup)
            return
        program = f"{setup}\nimport runpy\nrunpy.run_module('mediatask_job', run_name='__main__')"
        command = ["-c", program] if setup else ["-m", "mediatask_job"]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                die_with_parent([sys.executable, *command]), env=env, stdout=log, stderr=log
            )

    @property
    def log(self) -> str:
        return self._log.read_text()

    def until(self, condition: Callable[[], object], seconds: float = PATIENCE) -> None:
        """Wait for a condition while the job runs."""
        end = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, self.log
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.02)

    def wait(self, timeout: float = PATIENCE) -> Ended:
        code = self.process.wait(timeout)
        termination = self._termination.read_bytes()
        return Ended(code, TerminationMessage.model_validate_json(termination), self.log, termination)


Start = Callable[..., Job]


@pytest.fixture(scope="session")
def model_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared, so that each builtin model is built once."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture
def start(store: Store, tmp_path: Path, model_cache: Path) -> Iterator[Start]:
    """Start a job: `start(type, data, model=..., parameters=..., inputs=..., setup=code to run first)`.

    With `cold` it starts as in a pod, imports included.
    """
    jobs: list[Job] = []

    def start(
        type: str,
        data: dict[str, Any] | None,
        *,
        setup: str = "",
        env: dict[str, str] | None = None,
        cold: bool = False,
        **spec: Any,
    ) -> Job:
        folder = tmp_path / f"pod-{len(jobs)}"
        folder.mkdir()
        (folder / "token").write_text(TOKEN)
        inputs = {"allow_networks": ["127.0.0.0/8"], "timeout_seconds": 30} | spec.pop("inputs", {})
        told = {"task": TASK, "namespace": "n", "uid": "u", "project": "p", "attempt": 1, "inputs": inputs}
        surroundings = {
            "MEDIATASK_SPEC": json.dumps(told | {"type": type, "data": data} | spec),
            "MEDIATASK_API": store.url,
            "MEDIATASK_TOKEN_FILE": str(folder / "token"),
            "MEDIATASK_TERMINATION_LOG": str(folder / "termination"),
            "MEDIATASK_WORK": str(folder / "work"),
            "MEDIATASK_MODEL_CACHE": str(model_cache),
            "HF_HUB_OFFLINE": "1",
        }
        job = Job(os.environ | surroundings | (env or {}), folder, setup, cold=cold)
        jobs.append(job)
        return job

    yield start
    for job in jobs:
        if job.process.poll() is None:
            job.process.kill()
            job.process.wait(PATIENCE)


@pytest.fixture
def print_peak() -> str:
    """Setup code for a job that prints its peak memory in KiB as its last word.

    From /proc, because `getrusage` counts what the parent had when it forked.
    """
    peak = "int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])"
    return f"import atexit, re; atexit.register(lambda: print('peak', {peak}))"


@pytest.fixture
def run(start: Start) -> Callable[..., Ended]:
    """Start a job and wait for its end."""
    return lambda *args, **kwargs: start(*args, **kwargs).wait()
