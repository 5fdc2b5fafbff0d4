"""A scripted service for the clients."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.rest_service import Service


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    yield service
    service.close()
