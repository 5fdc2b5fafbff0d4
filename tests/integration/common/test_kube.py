"""The client of the API server."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from mediatask_common.kube import BUSY_REPEATS, TASKS, Kube, KubeError
from support.rest_service import Answer, Service

LIST = "/apis/tasks.ft.tc/v1alpha1/namespaces/media/mediatasks"
BUSY = Answer(
    429,
    {"kind": "Status", "code": 429, "reason": "TooManyRequests", "message": "storage is (re)initializing"},
    {"Retry-After": "0"},
)


@pytest.fixture
def server() -> Iterator[Service]:
    service = Service()
    yield service
    service.close()


@pytest.fixture
async def kube(server: Service, tmp_path: Path) -> AsyncIterator[Kube]:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "it", "cluster": {"server": server.url}}],
        "users": [{"name": "it", "user": {}}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "current-context": "it",
    }
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config))
    async with await Kube.connect(path) as client:
        yield client


async def test_a_busy_server_is_asked_again_when_it_says(server: Service, kube: Kube) -> None:
    server.on("POST", LIST, BUSY, BUSY, Answer(201, {"metadata": {"name": "a"}}))
    created = await kube.create(TASKS, {"metadata": {"name": "a"}}, "media")
    assert created["metadata"]["name"] == "a"
    assert len(server.asked("POST", LIST)) == 3


async def test_a_server_that_stays_busy_is_left_alone_in_the_end(server: Service, kube: Kube) -> None:
    server.on("GET", LIST, BUSY)
    with pytest.raises(KubeError, match="initializing") as caught:
        await kube.list(TASKS, "media")
    assert caught.value.unavailable
    assert len(server.asked("GET", LIST)) == BUSY_REPEATS + 1


async def test_nothing_else_is_sent_twice(server: Service, kube: Kube) -> None:
    server.on("POST", LIST, Answer(503, {"reason": "ServiceUnavailable"}, {"Retry-After": "0"}))
    with pytest.raises(KubeError):
        await kube.create(TASKS, {"metadata": {"name": "a"}}, "media")
    assert len(server.asked("POST", LIST)) == 1
