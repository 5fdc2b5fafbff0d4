"""What holds for every test."""

from __future__ import annotations

import os
from collections import Counter

import pytest

# Before torch is imported anywhere: threads that spin while they wait make a busy machine ten times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "0")


@pytest.fixture(autouse=True)
def _no_client_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell in which somebody works with a service of their own gives the same results as any other."""
    for name in ("MEDIATASK_URL", "MEDIATASK_API_KEY", "MEDIATASK_DIR", "MEDIATASK_PROJECT"):
        monkeypatch.delenv(name, raising=False)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line for each reason to skip, however many tests it concerns."""
    reasons = Counter(
        report.longrepr[2].removeprefix("Skipped: ") for report in terminalreporter.stats.get("skipped", [])
    )
    for reason, tests in reasons.most_common():
        terminalreporter.write_line(f"skipped {tests}: {reason}")
