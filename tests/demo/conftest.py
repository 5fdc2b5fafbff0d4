"""What `make demo` left behind, as fixtures: `pytest tests/demo --demo-out DIR`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--demo-out", type=Path, help="folder that `make demo OUT=...` filled")


@pytest.fixture(scope="session")
def out(request: pytest.FixtureRequest) -> Path:
    folder: Path | None = request.config.getoption("--demo-out")
    if folder is None:
        pytest.skip("run `make demo OUT=DIR` first, then pytest tests/demo --demo-out DIR")
    return folder


@pytest.fixture(scope="session")
def tasks(out: Path) -> dict[str, dict[str, Any]]:
    """Final status by task type."""
    return {task["task_type"]: task for task in json.loads((out / "tasks.json").read_text())}


@pytest.fixture(scope="session")
def webhooks(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "webhooks.jsonl").read_text().splitlines()]
