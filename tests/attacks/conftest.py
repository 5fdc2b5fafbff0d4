"""Each attack leaves a figure; all of them are printed at the end."""

from __future__ import annotations

from collections.abc import Callable

import pytest

# The API with the operator and the pods played by the test.
from integration.api.conftest import (  # noqa: F401
    elsewhere,
    kube,
    kubeconfig,
    namespace,
    open_world,
    place,
    project,
    redis_url,
    s3,
    view,
    world,
)
from support.front import open_front  # noqa: F401

_FIGURES: list[str] = []


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Note what came of an attack."""
    name = request.node.name
    return lambda text: _FIGURES.append(f"{name:<72} {text}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _FIGURES:
        terminalreporter.section("figures")
        for line in _FIGURES:
            terminalreporter.write_line(line)
