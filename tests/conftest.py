"""What holds for every test."""

from __future__ import annotations

import os

import pytest

# Before torch is imported anywhere: threads that spin while they wait make a busy machine ten times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "0")


@pytest.fixture(autouse=True)
def _no_client_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell in which somebody works with a service of their own gives the same results as any other."""
    for name in ("MEDIATASK_URL", "MEDIATASK_API_KEY", "MEDIATASK_DIR", "MEDIATASK_PROJECT"):
        monkeypatch.delenv(name, raising=False)
