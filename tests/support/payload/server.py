"""One PayloadCMS as a process, and what a person would look up in it."""

from __future__ import annotations

import contextlib
import json
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from mediatask_local.die_with_parent import die_with_parent
from mediatask_operator.settings import PayloadSettings

from ..processes import end, first_line
from ..required import PAYLOAD
from .installed import NotInstallable, installed


class RunningPayload:
    """A server with an API key; a test may take it away for a while."""

    def __init__(self, program: Path, folder: Path, port: int = 0, key: str | None = None) -> None:
        self.folder = folder
        self.key = key or secrets.token_hex(16)
        self.url = ""
        self._program = program
        self._port = port
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Back when it answers; at the same address as before."""
        command = ["node", "server.mjs", "--dir", str(self.folder), "--port", str(self._port), "--key", self.key]
        self.folder.mkdir(parents=True, exist_ok=True)
        log = self.folder / "payload.log"
        with log.open("a") as errors:
            self._process = subprocess.Popen(
                die_with_parent(command), cwd=self._program, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        self.url = json.loads(first_line(self._process, log))["url"]
        self._port = httpx.URL(self.url).port or 0

    def kill(self) -> None:
        """End it in the middle of whatever it does."""
        if self._process is not None:
            self._process.kill()
            self.stop()

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            end(self._process)
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None

    def settings(self, **changes: Any) -> PayloadSettings:
        """Settings of an operator that uses it."""
        return PayloadSettings.model_validate({"api_url": self.url, "api_key": self.key, **changes})

    def documents(self, collection: str = "media", **query: str) -> list[dict[str, Any]]:
        """All documents of a collection."""
        answer = self._ask("GET", collection, params={"limit": "0", "depth": "0", "sort": "id", **query})
        found: list[dict[str, Any]] = answer.json()["docs"]
        return found

    def create(self, collection: str, **fields: Any) -> dict[str, Any]:
        """Create a document without a file."""
        made: dict[str, Any] = self._ask("POST", collection, json=fields).json()["doc"]
        return made

    def content(self, document: dict[str, Any]) -> bytes:
        """The file of a document, as readers get it."""
        return self._ask("GET", document["url"].removeprefix("/api/")).content

    def files(self) -> set[str]:
        """Names of the files in its storage."""
        media = self.folder / "media"
        return {path.name for path in media.iterdir()} if media.exists() else set()

    def _ask(self, method: str, path: str, **given: Any) -> httpx.Response:
        headers = {"Authorization": f"users API-Key {self.key}"}
        answer = httpx.request(method, f"{self.url}/{path}", headers=headers, timeout=60, trust_env=False, **given)
        answer.raise_for_status()
        return answer


@contextlib.contextmanager
def payload_server(folder: Path, port: int = 0, key: str | None = None) -> Iterator[RunningPayload]:
    """An empty server, ended with its block; skips the test where none can be installed, or fails (CI)."""
    try:
        program = installed()
    except NotInstallable as error:
        PAYLOAD.unavailable(str(error))
    server = RunningPayload(program, folder, port, key)
    server.start()
    try:
        yield server
    finally:
        server.stop()
