"""Logs of ended pods, kept in the store before they go: over the embedded API server, whose runner names the files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from mediatask_common.kube import PODS, Kube, Object
from mediatask_common.settings import StoreSettings
from mediatask_common.store import ArtifactStore, log_key, open_store
from mediatask_crds.names import CONTAINER
from mediatask_operator.deciding.observation import Task
from mediatask_operator.deciding.plan import KeepLog
from mediatask_operator.effects import logs
from mediatask_operator.effects.logs import KEPT_BYTES, KeepLogs
from support.apiserver import embedded_apiserver
from support.taskworld import UID, a_task

LOG_ANNOTATION = "embedded.tasks.ft.tc/log"
KEY = log_key("p1", UID, 1)


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with embedded_apiserver(tmp_path_factory.mktemp("apiserver")) as path:
        yield path


@pytest.fixture
async def kube(kubeconfig: Path) -> AsyncIterator[Kube]:
    async with await Kube.connect(kubeconfig) as client:
        yield client


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return open_store(StoreSettings(folder=tmp_path / "media", secret_file=tmp_path / "key"))


@pytest.fixture
def keeper(kube: Kube, store: ArtifactStore) -> KeepLogs:
    return KeepLogs(kube, store)


async def a_pod(kube: Kube, name: str, log: Path, phase: str = "Failed") -> Object:
    body: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "annotations": {LOG_ANNOTATION: str(log)}},
        "spec": {"nodeName": "node", "containers": [{"name": CONTAINER, "image": "python"}], "restartPolicy": "Never"},
    }
    await kube.create(PODS, body, "default")
    return await kube.patch(PODS, name, {"status": {"phase": phase}}, "default", subresource="status")


async def keep(keeper: KeepLogs, pod: str) -> None:
    await keeper.run(Task.parse(a_task()), KeepLog(1, pod))


async def test_the_end_of_a_log_is_kept_once(
    kube: Kube, store: ArtifactStore, keeper: KeepLogs, tmp_path: Path
) -> None:
    log = tmp_path / "pod.log"
    log.write_bytes(b"".join(b"%099d\n" % number for number in range(100_000)))
    await a_pod(kube, "long", log)
    await keep(keeper, "long")
    kept = await store.read(KEY)
    assert KEPT_BYTES - 100 <= len(kept) <= KEPT_BYTES
    assert kept.endswith(b"000099999\n")
    assert kept.index(b"\n") == 99, "whole lines"
    log.write_text("another")
    await keep(keeper, "long")
    await keep(KeepLogs(kube, store), "long")
    assert await store.read(KEY) == kept, "also after a restart"


async def test_one_endless_line_is_cut(kube: Kube, store: ArtifactStore, keeper: KeepLogs, tmp_path: Path) -> None:
    (tmp_path / "pod.log").write_bytes(b"x" * KEPT_BYTES + b"y" * KEPT_BYTES)
    await a_pod(kube, "line", tmp_path / "pod.log")
    await keep(keeper, "line")
    assert await store.read(KEY) == b"y" * KEPT_BYTES


async def test_a_pod_that_is_being_stopped_is_followed_to_its_end(
    kube: Kube, store: ArtifactStore, keeper: KeepLogs, tmp_path: Path
) -> None:
    log = tmp_path / "pod.log"
    log.write_text("working\n")
    await a_pod(kube, "stopping", log, "Running")
    keeping = asyncio.create_task(keep(keeper, "stopping"))
    with log.open("a") as out:
        out.write("stopped\n")
    await kube.patch(PODS, "stopping", {"status": {"phase": "Failed"}}, "default", subresource="status")
    await asyncio.wait_for(keeping, 15)
    assert await store.read(KEY) == b"working\nstopped\n"


async def test_what_cannot_be_read_is_tried_again_and_holds_up_nothing(
    kube: Kube, store: ArtifactStore, keeper: KeepLogs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "SECONDS", 0.3)
    log = tmp_path / "pod.log"
    log.write_text("it hangs\n")
    await a_pod(kube, "hanging", log, "Running")
    await asyncio.wait_for(keep(keeper, "hanging"), 10)
    assert await store.head(KEY) is None
    await keep(keeper, "no-such-pod-for-another-task")
    await kube.patch(PODS, "hanging", {"status": {"phase": "Failed"}}, "default", subresource="status")
    await keep(KeepLogs(kube, store), "hanging")
    assert await store.read(KEY) == b"it hangs\n"
