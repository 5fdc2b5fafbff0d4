"""A scripted service for the clients, and no settings from outside."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.rest_service import Service


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    yield service
    service.close()


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MEDIATASK_URL", "MEDIATASK_API_KEY", "MEDIATASK_DIR", "MEDIATASK_PROJECT"):
        monkeypatch.delenv(name, raising=False)
