"""The status as two writers share it: the operator by merge patch, the API's progress by server-side apply."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from mediatask_common.kube import APPLY, TASKS, Kube, KubeError, Object
from mediatask_crds.names import API_VERSION, OPERATOR_FIELD_MANAGER, PROGRESS_FIELD_MANAGER
from support.apiserver import embedded_apiserver

NAMESPACE = "default"


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with embedded_apiserver(tmp_path_factory.mktemp("apiserver")) as path:
        yield path


@pytest.fixture
async def kube(kubeconfig: Path) -> AsyncIterator[Kube]:
    async with await Kube.connect(kubeconfig) as kube:
        yield kube


async def create(kube: Kube, name: str) -> None:
    spec = {"projectId": "p1", "taskType": "generate_image", "taskData": {"prompt": "x"}}
    task = {"apiVersion": API_VERSION, "kind": "MediaTask", "metadata": {"name": name}, "spec": spec}
    await kube.create(TASKS, task, NAMESPACE)


async def write(kube: Kube, name: str, **status: object) -> Object:
    body: Object = {"status": status}
    return await kube.patch(TASKS, name, body, NAMESPACE, subresource="status", fieldManager=OPERATOR_FIELD_MANAGER)


async def report(kube: Kube, name: str, progress: float) -> Object:
    task = {"apiVersion": API_VERSION, "kind": "MediaTask", "metadata": {"name": name}}
    body: Object = {**task, "status": {"progress": progress, "currentStep": "rendering"}}
    return await kube.patch(
        TASKS,
        name,
        body,
        NAMESPACE,
        subresource="status",
        content_type=APPLY,
        fieldManager=PROGRESS_FIELD_MANAGER,
        force="true",
    )


async def test_attempts_and_progress_are_written_side_by_side(kube: Kube) -> None:
    await create(kube, "side-by-side")
    first = {"number": 1, "jobName": "a", "reason": "GpuFault"}
    await write(kube, "side-by-side", attempts=[first], attempt=1)
    await report(kube, "side-by-side", 0.5)
    await write(kube, "side-by-side", attempts=[first, {"number": 2, "jobName": "b"}], attempt=2)
    status = (await report(kube, "side-by-side", 0.7))["status"]
    assert [(attempt["number"], attempt["jobName"]) for attempt in status["attempts"]] == [(1, "a"), (2, "b")]
    assert status["attempts"][0]["reason"] == "GpuFault"
    assert (status["attempt"], status["progress"]) == (2, 0.7)


async def test_an_attempt_is_on_record_once(kube: Kube) -> None:
    await create(kube, "once")
    with pytest.raises(KubeError, match="Duplicate value") as refused:
        await write(kube, "once", attempts=[{"number": 1, "jobName": "a"}, {"number": 1, "jobName": "b"}])
    assert refused.value.status == 422
