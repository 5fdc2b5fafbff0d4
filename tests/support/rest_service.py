"""A service that answers as told, on loopback, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

KEY = "mtk_test"


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any
    """JSON where it is some, else bytes."""


@dataclass
class Answer:
    status: int = 200
    body: Any = None
    """JSON, or bytes as they are."""
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False
    """Close the connection instead of answering."""


def problem(status: int, detail: str, **more: Any) -> Answer:
    """An RFC 9457 answer."""
    body = {"type": "about:blank", "title": "refused", "status": status, "detail": detail, **more}
    return Answer(status, body, {"Content-Type": "application/problem+json"})


class Service:
    """`on` says what a path answers: each answer once, the last one from then on."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._routes: dict[tuple[str, str], list[Answer | Callable[[Request], Answer]]] = {}
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def on(self, method: str, path: str, *answers: Answer | Callable[[Request], Answer]) -> None:
        self._routes[method, path] = list(answers)

    def asked(self, method: str, path: str) -> list[Request]:
        return [request for request in self.requests if (request.method, request.path) == (method, path)]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _next(self, request: Request) -> Answer:
        with self._lock:
            self.requests.append(request)
            answers = self._routes.get((request.method, request.path))
            if not answers:
                return problem(404, f"no route {request.method} {request.path}")
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
        return answer(request) if callable(answer) else answer

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self) -> None:
                url = urlsplit(self.path)
                raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                is_json = headers.get("content-type") == "application/json"
                body = json.loads(raw) if is_json and raw else raw or None
                request = Request(self.command, url.path, dict(parse_qsl(url.query)), headers, body)
                answer = service._next(request)
                if answer.drop:
                    self.close_connection = True
                    return
                content = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
                lengths = {"Content-Length": str(len(content))}
                if answer.status == HTTPStatus.NO_CONTENT:
                    content, lengths = b"", {}
                self.send_response(answer.status)
                for name, value in {**lengths, **answer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = handle_one

            def log_message(self, format: str, *args: object) -> None: ...

        return Handler


def task(status: str = "processing", **fields: Any) -> dict[str, Any]:
    """A status answer."""
    return {
        "task_id": "task-1",
        "project_id": "demo",
        "task_type": "generate_image",
        "status": status,
        "progress": 1.0 if status == "completed" else 0.5,
        "current_step": "upload_complete" if status == "completed" else "denoising",
        "result": None,
        "error": None,
        "attempt": 1,
        **fields,
    }
