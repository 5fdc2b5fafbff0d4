"""Runs in a pod: takes webhooks, serves the inputs of tasks, and holds the gates that gated tasks wait at.

POST /webhooks/...   a webhook: 204 when its signature fits, else 401
GET  /webhooks       those that fitted, as a JSON list of {"headers", "body"} (the body as it came)
PUT  /secret         the signing secret to verify them with
PUT  /files/NAME     an input; GET serves it
PUT  /gates/NAME     opens the gate; GET waits until it is open
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from mediatask_client.webhooks import WebhookError, verify

PORT = 8080

webhooks: list[dict[str, Any]] = []
files: dict[str, tuple[str, bytes]] = {}
open_gates: set[str] = set()
changed = threading.Condition()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/webhooks":
            self.answer(200, "application/json", json.dumps(webhooks).encode())
        elif self.path.startswith("/gates/"):
            with changed:
                changed.wait_for(lambda: self.path in open_gates)
            self.answer(200)
        elif self.path in files:
            self.answer(200, *files[self.path])
        else:
            self.answer(404)

    def do_PUT(self) -> None:
        content = self.content()
        with changed:
            if self.path.startswith("/gates/"):
                open_gates.add(self.path)
            else:
                files[self.path] = (self.headers.get("Content-Type", "text/plain"), content)
            changed.notify_all()
        self.answer(204)

    def do_POST(self) -> None:
        body = self.content()
        headers = dict(self.headers.items())
        try:
            verify(body, headers, files["/secret"][1].decode())
        except WebhookError:
            self.answer(401)
            return
        webhooks.append({"headers": headers, "body": body.decode()})
        self.answer(204)

    def content(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(self, status: int, content_type: str = "text/plain", content: bytes = b"") -> None:
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # many pods come to a gate at once


if __name__ == "__main__":
    Server(("", PORT), Handler).serve_forever()
