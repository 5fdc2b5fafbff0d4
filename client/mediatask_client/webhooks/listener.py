"""A receiver for the developer's machine: it verifies webhooks, tells of each, and may pass them on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from ..rest.transport import options
from .limits import MOST_BYTES
from .verification import WebhookError, WebhookEvent, verify

MOST_CONNECTIONS = 64
SECONDS = 10.0
"""For a caller to send something, and for the application behind to answer."""
PASSED_ON = ("content-type", "webhook-id", "webhook-timestamp", "webhook-signature", "x-api-key", "user-agent")


@dataclass(frozen=True)
class Received:
    """A request that came, and what was answered."""

    id: str | None
    """`webhook-id`: the same for each try."""
    event: WebhookEvent | None
    """None where it is not genuine."""
    status: int
    """204, 400 or 413; of the application behind, where it was passed on; 502 where that did not answer."""
    reason: str | None = None
    """Why it was not taken."""


class Listener:
    """Listens as soon as it is made; `run` serves until it is interrupted or has taken `count` webhooks."""

    def __init__(
        self,
        address: tuple[str, int],
        secrets: Sequence[str],
        tell: Callable[[Received], None],
        forward: str | None = None,
        count: int | None = None,
    ) -> None:
        """
        Args:
            address: host, and port or 0 for a free one.
            tell: called for each request before it is answered, one at a time.
            forward: URL to which genuine webhooks are passed on, signature and all.
            count: genuine webhooks after which `run` ends.

        Raises:
            OSError: the address is in use, or not of this machine.
            NotConfigured: `forward` is no address.
        """
        self._secrets = secrets
        self._tell = tell
        self._forward = forward
        self._http = httpx.Client(**{**options(forward), "timeout": SECONDS}) if forward else None
        self._left = count
        self._lock = threading.Lock()
        self._server = _Server(address, self._handler())
        self.url = f"http://{address[0]}:{self._server.server_port}"

    def run(self) -> None:
        try:
            self._server.serve_forever(poll_interval=0.1)
        finally:
            self._server.server_close()
            if self._http:
                self._http.close()

    def _receive(self, headers: dict[str, str], body: bytes) -> Received:
        name = headers.get("webhook-id")
        try:
            event = verify(body, headers, self._secrets)
        except WebhookError as error:
            return Received(name, None, 400, str(error))
        if not self._http or not self._forward:
            return Received(name, event, 204)
        try:
            passed = {key: headers[key] for key in PASSED_ON if key in headers}
            answer = self._http.post(self._forward, content=body, headers=passed, follow_redirects=False)
        except httpx.RequestError as error:
            return Received(name, event, 502, f"{self._forward} does not answer ({error})")
        return Received(name, event, answer.status_code)

    def _taken(self) -> None:
        with self._lock:
            self._left = None if self._left is None else self._left - 1
        if self._left == 0:
            self._server.shutdown()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        listener = self

        class Handler(BaseHTTPRequestHandler):
            timeout = SECONDS

            def do_POST(self) -> None:
                length = self.headers.get("Content-Length", "")
                headers = {name.lower(): value for name, value in self.headers.items()}
                if not (length.isascii() and length.isdigit()) or int(length) > MOST_BYTES:
                    received = Received(headers.get("webhook-id"), None, 413, "the length is missing, or too much")
                else:
                    received = listener._receive(headers, self.rfile.read(int(length)))
                with listener._lock:
                    listener._tell(received)
                self.send_response(received.status)
                self.send_header("Content-Length", "0")
                self.end_headers()
                if received.event is not None:
                    listener._taken()

            def log_message(self, format: str, *args: Any) -> None: ...

        return Handler


class _Server(ThreadingHTTPServer):
    """Closes connections beyond those that it can serve."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._free = threading.BoundedSemaphore(MOST_CONNECTIONS)
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller who hangs up is no fault of the listener."""
