"""What holds for every test."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _no_client_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell in which somebody works with a service of their own gives the same results as any other."""
    for name in ("MEDIATASK_URL", "MEDIATASK_API_KEY", "MEDIATASK_DIR", "MEDIATASK_PROJECT"):
        monkeypatch.delenv(name, raising=False)
