"""A receiver of webhooks on loopback that verifies their signatures with the official library."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from standardwebhooks import Webhook


class Receiver:
    """Keeps what arrives by the last part of the URL's path; a wrong signature is answered with 401."""

    def __init__(self, secret: str) -> None:
        self._messages: dict[str, list[dict[str, Any]]] = {}
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                try:
                    Webhook(secret).verify(body, dict(self.headers.items()))
                except Exception:
                    self.send_response(401)
                else:
                    receiver._messages.setdefault(self.path.rpartition("/")[2], []).append(json.loads(body))
                    self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def url(self, path: str) -> str:
        """Where to send what `received(path)` is to tell."""
        return f"http://127.0.0.1:{self._server.server_port}/{path}"

    def received(self, path: str) -> list[dict[str, Any]]:
        """The bodies that have arrived, oldest first."""
        return list(self._messages.get(path, []))

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
