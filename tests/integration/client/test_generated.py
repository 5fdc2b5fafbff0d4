"""The synchronous client is the asynchronous one, written without `await`."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

from mediatask_client import AsyncClient, Client

GENERATE = Path(__file__).resolve().parents[3] / "client" / "generate.py"


def test_it_is_current() -> None:
    checked = subprocess.run([sys.executable, GENERATE, "--check"], capture_output=True, text=True, timeout=60)
    assert checked.returncode == 0, checked.stderr


def test_both_have_the_same_methods_with_the_same_words() -> None:
    def surface(kind: type) -> dict[str, tuple[list[str], str | None]]:
        return {
            name: (list(inspect.signature(member).parameters), (member.__doc__ or "").replace("Async", ""))
            for name, member in inspect.getmembers(kind, inspect.isfunction)
            if not name.startswith("_")
        }

    synchronous, asynchronous = surface(Client), surface(AsyncClient)
    assert synchronous.pop("close")[0] == asynchronous.pop("aclose")[0]
    assert synchronous == asynchronous
    assert all(words for _, words in synchronous.values())
