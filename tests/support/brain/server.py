"""The Brain's two faces: the MCP tools of the platform's documents, and the older REST query."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from mcp.server import MCPServer
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mediatask_operator.settings import BrainSettings

from .knowledge import Knowledge, embed

TOKEN = "brain-token-for-tests"


class RunningBrain:
    """A Brain on a port that stays the same while it is away."""

    def __init__(self, folder: Path, *, legacy: bool = False, token: str | None = TOKEN, port: int = 0) -> None:
        """A Brain that keeps what it knows in a folder.

        Args:
            legacy: speaks 2025-11-25, with sessions and event streams; else 2026-07-28.
        """
        self.knowledge = Knowledge(folder / "brain.sqlite")
        self.calls: list[tuple[str, str]] = []
        """Tools that were called, each with its project."""
        self.before: Callable[[str], None] = lambda tool: None
        """Called with the name of each tool before it answers; may raise."""
        self.token = token
        self._legacy = legacy
        self.versions: set[str] = set()
        """Of the protocol, as callers named them."""
        self._port = port
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def settings(self, **changes: Any) -> BrainSettings:
        """What the operator is told of it."""
        return BrainSettings.model_validate({"url": self.url, "token": self.token, **changes})

    def start(self) -> None:
        """Be there; returns once it accepts connections."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self._port))
        self._port = listener.getsockname()[1]
        config = uvicorn.Config(self._app(), log_level="critical", timeout_graceful_shutdown=1)
        server = self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        self._thread.start()
        deadline = time.monotonic() + 30
        while not server.started:
            assert time.monotonic() < deadline, "the Brain does not start"
            time.sleep(0.01)

    def stop(self) -> None:
        """Be away."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(30)
            self._server = None

    def _app(self) -> Starlette:
        app = self._tools().streamable_http_app(json_response=not self._legacy, stateless_http=not self._legacy)
        app.router.routes.append(Route("/api/v1/knowledge/query", self._query, methods=["GET"]))
        app.add_middleware(_Door, brain=self, legacy=self._legacy)
        return app

    async def _query(self, request: Request) -> Response:
        asked = request.query_params
        self.calls.append(("query", asked["project_id"]))
        found = self.knowledge.search(asked["project_id"], embed(asked["query"]), 10)
        return JSONResponse({"context_type": asked["context_type"], "results": found})

    def _tools(self) -> MCPServer[Any]:
        server: MCPServer[Any] = MCPServer("brain", log_level="ERROR")
        known = self.knowledge

        def called(tool: str, project: str) -> None:
            self.calls.append((tool, project))
            self.before(tool)

        @server.tool()
        def embed_text(text: str, project_id: str) -> dict[str, Any]:
            called("embed_text", project_id)
            return {"embedding": embed(text), "model": "ngrams"}

        @server.tool()
        def search_by_embedding(embedding: list[float], project_id: str, limit: int = 10) -> dict[str, Any]:
            called("search_by_embedding", project_id)
            return {"results": known.search(project_id, embedding, limit)}

        @server.tool()
        def query_graph(cypher_query: str, project_id: str) -> dict[str, Any]:
            called("query_graph", project_id)
            return {"rows": known.query(project_id, cypher_query)}

        @server.tool()
        def get_node_neighbors(node_id: str, project_id: str) -> list[dict[str, Any]]:
            called("get_node_neighbors", project_id)
            return known.neighbors(project_id, node_id)

        @server.tool()
        def store_document(content: str, metadata: dict[str, Any], project_id: str) -> dict[str, Any]:
            called("store_document", project_id)
            return known.store_document(project_id, content, metadata)

        @server.tool()
        def bulk_store_documents(documents: list[dict[str, Any]], project_id: str) -> list[dict[str, Any]]:
            called("bulk_store_documents", project_id)
            return [known.store_document(project_id, one["content"], one.get("metadata", {})) for one in documents]

        @server.tool()
        def store_workflow_data(workflow_id: str, data: dict[str, Any], project_id: str) -> dict[str, Any]:
            called("store_workflow_data", project_id)
            known.store_workflow(project_id, workflow_id, data)
            return {"workflow_id": workflow_id}

        return server


class _Door:
    """Refuses who has no token, or a version that is not spoken; a pure ASGI middleware, so that streams pass."""

    def __init__(self, app: Any, brain: RunningBrain, legacy: bool) -> None:
        self._app = app
        self._brain = brain
        self._legacy = legacy

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            headers = {name.decode(): value.decode() for name, value in scope["headers"]}
            token, version = self._brain.token, headers.get("mcp-protocol-version", "")
            if token is not None and headers.get("authorization") != f"Bearer {token}":
                await Response(status_code=401)(scope, receive, send)
                return
            if self._legacy and version >= "2026":
                await Response(status_code=400)(scope, receive, send)
                return
            if version:
                self._brain.versions.add(version)
        await self._app(scope, receive, send)


@contextmanager
def brain_server(folder: Path, **options: Any) -> Iterator[RunningBrain]:
    """A Brain with nothing in it."""
    brain = RunningBrain(folder, **options)
    brain.start()
    try:
        yield brain
    finally:
        brain.stop()
