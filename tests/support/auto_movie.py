"""The Auto-Movie app as the platform's documents describe it, and the route handler that our docs offer it."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from mediatask_local.die_with_parent import die_with_parent

from .processes import end
from .required import NODE

PAGE = Path(__file__).resolve().parents[2] / "docs" / "integrations" / "auto-movie.md"
PATH = "/api/webhooks/task-complete"
TYPES = r": (?:Promise<[^>]+>|Request|Headers|Buffer|boolean|Uint8Array\[\])"
"""The annotations of the handler, which Node does not read."""


class AutoMovieApp:
    """Takes webhooks at the documented path over https, from whoever has its API key, and keeps test results."""

    def __init__(self, key: str, tls: ssl.SSLContext, port: int = 0) -> None:
        self._key = key
        self._tls = tls
        self.port = port
        self.messages: dict[str, list[dict[str, Any]]] = {}
        """By task."""
        self.ids: dict[str, set[str]] = {}
        """Webhook ids by task."""
        self.test_results: dict[str, dict[str, Any]] = {}
        """By the app's own id of the test."""
        self.refused: list[int] = []

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        """There until the end of the block, at the same port as before."""
        app = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = app.take(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
                self.send_response(status)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.port = server.server_address[1]
        server.socket = self._tls.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}{PATH}"

    def take(self, path: str, headers: dict[str, str], body: bytes) -> int:
        """Returns the answer's status."""
        if path != PATH or headers.get("x-api-key") != self._key:
            self.refused.append(404 if path != PATH else 401)
            return self.refused[-1]
        message = json.loads(body)
        self.messages.setdefault(message["task_id"], []).append(message)
        self.ids.setdefault(message["task_id"], set()).add(headers["webhook-id"])
        if test := message["metadata"].get("testResultId"):
            result = message["result"] or {"metadata": {}}
            self.test_results[test] = {"status": message["status"], "output": result["metadata"].get("output_data")}
        return 200


def route_handler() -> str:
    """The code of the page, as JavaScript."""
    [code] = re.findall(r"^```ts\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    return re.sub(TYPES, "", code).replace("'./on-task'", "'./on-task.mjs'")


ON_TASK = """
export async function onTask(id, event) { console.log(JSON.stringify({ id, event })) }
"""
SERVE = """
import { createServer } from 'node:http'
import { Readable } from 'node:stream'
import { POST } from './route.mjs'
const server = createServer(async (incoming, outgoing) => {
  try {
    const body = Readable.toWeb(incoming)
    const request = new Request('http://app' + incoming.url, {
      method: incoming.method, headers: incoming.headers, body, duplex: 'half' })
    const response = await POST(request)
    outgoing.writeHead(response.status).end(await response.text())
  } catch (error) {
    outgoing.writeHead(500).end(String(error))
  }
})
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
"""


class RouteHandler:
    """The route handler of the page in a Node process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self._out = process.stdout
        self.url = f"http://127.0.0.1:{int(self._out.readline())}{PATH}"

    def next(self) -> dict[str, Any]:
        """What the handler handed on, with its `id` and `event`."""
        taken: dict[str, Any] = json.loads(self._out.readline())
        return taken


@contextlib.contextmanager
def node_handler(folder: Path, secrets: str) -> Iterator[RouteHandler]:
    """The handler, running."""
    node = shutil.which("node") or NODE.unavailable("node is not on PATH")
    for name, code in (("route", route_handler()), ("on-task", ON_TASK), ("serve", SERVE)):
        (folder / f"{name}.mjs").write_text(code)
    process = subprocess.Popen(
        die_with_parent([node, "serve.mjs"]),
        cwd=folder,
        env={"MEDIATASK_WEBHOOK_SECRETS": secrets},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield RouteHandler(process)
    finally:
        end(process)
        assert process.stdout is not None
        process.stdout.close()
