"""What a unit test may not do."""

from __future__ import annotations

import socket
import subprocess
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def _no_server_and_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such a test belongs to `tests/integration`."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a unit test starts no process and opens no connection: move it to tests/integration")

    monkeypatch.setattr(subprocess.Popen, "__init__", refuse)
    for call in ("connect", "connect_ex", "listen"):
        monkeypatch.setattr(socket.socket, call, refuse, raising=False)
