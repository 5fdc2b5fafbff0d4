"""The demo's own loopback server: it serves the tasks' inputs and receives their webhooks."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from ..webhooks import WebhookError, verify
from .script import File

CALLBACK_PATH = "/webhooks/task-complete"


@dataclass(frozen=True)
class Delivery:
    """A webhook with a valid signature."""

    headers: dict[str, str]
    body: dict[str, Any]
    raw: str

    def line(self) -> str:
        """For `webhooks.jsonl`."""
        return json.dumps({"headers": self.headers, "body": self.body, "raw": self.raw}, ensure_ascii=False)


class Environment:
    """Open between `with` and its end, on a free port of 127.0.0.1."""

    def __init__(self, files: dict[str, File]) -> None:
        self._files = files
        self._deliveries: dict[str, Delivery] = {}
        self._changed = threading.Condition()
        self.secret: str | None = None
        """Signing secret of the service's webhooks; none is accepted before it is known."""
        self.fetched: set[str] = set()
        """Paths that have been requested."""
        self.refused: list[str] = []
        """Why webhooks were rejected."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.callback_url = self.url + CALLBACK_PATH

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def wait_for(self, task_ids: Iterable[str], timeout: float) -> list[Delivery]:
        """The tasks' webhooks, once there is one for each; those there are after `timeout` seconds."""
        wanted = set(task_ids)
        deadline = time.monotonic() + timeout
        with self._changed:
            while wanted - {delivery.body.get("task_id") for delivery in self._deliveries.values()}:
                if not self._changed.wait(deadline - time.monotonic()):
                    break
            return list(self._deliveries.values())

    def receive(self, headers: dict[str, str], raw: bytes) -> bool:
        """Take a webhook; False when it is not genuine. One that comes again is taken once."""
        with self._changed:
            try:
                if self.secret is None:
                    raise WebhookError("the secret is not known yet")
                event = verify(raw, headers, self.secret)
            except WebhookError as error:
                self.refused.append(str(error))
                return False
            delivery = Delivery(headers, dict(event), raw.decode())
            self._deliveries.setdefault(headers["webhook-id"], delivery)
            self._changed.notify_all()
        return True

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        environment = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                found = environment._files.get(self.path)
                if found is None:
                    self._answer(404)
                    return
                environment.fetched.add(self.path)
                self._answer(200, *found)

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                genuine = self.path == CALLBACK_PATH and environment.receive(headers, raw)
                self._answer(204 if genuine else 400)

            def _answer(self, status: int, content_type: str = "text/plain", content: bytes = b"") -> None:
                self.send_response(status)
                if status != 204:
                    self.send_header("Content-Type", content_type)
                    self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                """Silent: the demo reports what happens itself."""

        return Handler
