"""Progress: every report to the stream, few writes to the status, and never a step back."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from mediatask_api.pods.fencing import Pod
from mediatask_api.pods.progress import ProgressWriter
from mediatask_api.tasks.reading.redis_reader import RedisReader
from mediatask_common.kube import Object
from mediatask_common.redisview import RedisView
from mediatask_crds.names import LABEL_ATTEMPT, LABEL_TASK, PROGRESS_FIELD_MANAGER
from mediatask_crds.podcontract import ProgressReport
from support.front import until

from .conftest import World


def pod_of(task: Object, attempt: int = 1) -> Pod:
    meta = task["metadata"]
    labels = {LABEL_TASK: meta["name"], LABEL_ATTEMPT: str(attempt)}
    return Pod(meta["namespace"], "pod", f"pod-{attempt}", meta["creationTimestamp"], labels)


class Counted:
    """Counts what reaches the API server."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.writes: list[float] = []
        plain = world.kube.patch

        async def patch(resource: Any, name: str, body: Any, *args: Any, **kwargs: Any) -> Object:
            answer = await plain(resource, name, body, *args, **kwargs)
            if kwargs.get("fieldManager") == PROGRESS_FIELD_MANAGER:
                self.writes.append(answer["status"]["progress"])
            return answer

        monkeypatch.setattr(world.kube, "patch", patch)


async def test_many_reports_are_few_writes_and_the_last_one_arrives(
    world: World, monkeypatch: pytest.MonkeyPatch, view: RedisView
) -> None:
    counted = Counted(world, monkeypatch)
    task_id = await world.submit()
    task = await world.set_status(task_id, phase="processing", attempt=1)
    writer = ProgressWriter(world.kube, world.services.reader, RedisReader(view), world.namespace, interval=0.4)
    start = time.monotonic()
    for percent in range(100):
        report = ProgressReport(attempt=1, progress=percent / 100, step=f"step_{percent}")
        await writer.take(task, pod_of(task), report)

    async def arrived() -> bool:
        status = (await world.task(task_id))["status"]
        return bool(status.get("progress") == 0.99 and status["currentStep"] == "step_99")

    await until(arrived)
    assert len(counted.writes) <= (time.monotonic() - start) / 0.4 + 1
    assert counted.writes == sorted(counted.writes)
    events = [data["progress"] async for _, kind, data in view.events(task_id) if kind == "progress"]
    assert events == [percent / 100 for percent in range(100)]
    managed = (await world.task(task_id))["metadata"]["managedFields"]
    owners = [entry for entry in managed if entry["manager"] == PROGRESS_FIELD_MANAGER]
    assert [entry["operation"] for entry in owners] == ["Apply"]
    await writer.close()


async def test_progress_never_falls_within_an_attempt(world: World) -> None:
    task_id = await world.submit()
    task = await world.set_status(task_id, phase="processing", attempt=1)
    writer = ProgressWriter(world.kube, world.services.reader, RedisReader(None), world.namespace, interval=0.05)

    async def report(progress: float, step: str) -> Object:
        await writer.take(task, pod_of(task), ProgressReport(attempt=1, progress=progress, step=step))

        async def written() -> Object | None:
            status = (await world.task(task_id))["status"]
            return status if status.get("currentStep") == step else None

        found: Object = await until(written)
        return found

    assert (await report(0.6000000000000001, "a"))["progress"] == 0.6
    assert (await report(0.2, "b"))["progress"] == 0.6, "the step is news, the progress is not"
    assert (await report(0.7, "c"))["progress"] == 0.7
    await writer.close()


async def test_a_report_that_comes_before_the_attempt_is_on_record_is_kept_for_it(world: World) -> None:
    task_id = await world.submit()
    task = await world.task(task_id)
    writer = ProgressWriter(world.kube, world.services.reader, RedisReader(None), world.namespace, interval=0.05)
    await writer.take(task, pod_of(task), ProgressReport(attempt=1, progress=0.1, step="model"))

    async def is_waiting() -> bool:
        return bool(writer._latest)

    await until(is_waiting)
    await world.set_status(task_id, phase="processing", attempt=1, progress=0.0)

    async def written() -> bool:
        status = (await world.task(task_id))["status"]
        return (status["progress"], status.get("currentStep")) == (0.1, "model")

    await until(written)
    await writer.close()


async def test_an_old_attempt_cannot_write_any_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Counted(world, monkeypatch)
    task_id = await world.submit()
    old = await world.set_status(task_id, phase="processing", attempt=1)
    await world.set_status(task_id, phase="processing", attempt=2, progress=0.0)
    writer = ProgressWriter(world.kube, world.services.reader, RedisReader(None), world.namespace, interval=0.05)
    # The report passed the fence before the new attempt began.
    await writer.take(old, pod_of(old), ProgressReport(attempt=1, progress=0.9, step="late"))

    async def idle() -> bool:
        return not writer._writers

    await until(idle)
    assert counted.writes == []
    assert (await world.task(task_id))["status"]["progress"] == 0.0
    await writer.close()


async def test_a_new_attempt_between_reading_and_writing_wins(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Counted(world, monkeypatch)
    task_id = await world.submit()
    task = await world.set_status(task_id, phase="processing", attempt=1)
    plain, began = world.services.reader.get_true, False

    async def then_the_next_attempt_begins(name: str) -> Object | None:
        nonlocal began
        read = await plain(name)
        if not began:
            began = True
            await world.set_status(task_id, attempt=2, progress=0.0)
        return read

    monkeypatch.setattr(world.services.reader, "get_true", then_the_next_attempt_begins)
    writer = ProgressWriter(world.kube, world.services.reader, RedisReader(None), world.namespace, interval=0.05)
    await writer.take(task, pod_of(task), ProgressReport(attempt=1, progress=0.9, step="late"))

    async def idle() -> bool:
        return not writer._writers

    await until(idle)
    assert counted.writes == []
    assert (await world.task(task_id))["status"]["progress"] == 0.0


async def test_a_report_ahead_of_the_status_waits_for_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Counted(world, monkeypatch)
    task_id = await world.submit()
    task = await world.task(task_id)
    writer = ProgressWriter(world.kube, world.services.reader, RedisReader(None), world.namespace, interval=0.05)
    await writer.take(task, pod_of(task), ProgressReport(attempt=1, progress=0.1, step="early"))
    await asyncio.sleep(0)
    await world.set_status(task_id, phase="processing", attempt=1)
    await writer.take(task, pod_of(task), ProgressReport(attempt=1, progress=0.2, step="now"))

    async def written() -> bool:
        return 0.2 in counted.writes

    await until(written)
    await writer.close()


async def test_the_route_writes_at_once_and_the_status_shows_it(world: World) -> None:
    task_id = await world.submit()
    await world.set_status(task_id, phase="processing", attempt=1)
    token = await world.token(await world.pod(task_id))
    await world.report(token, task_id, "progress", attempt=1, progress=0.25, step="rendering_video")

    async def shown() -> bool:
        status = (await world.api.get(f"/tasks/{task_id}/status")).json()
        return bool((status["progress"], status["current_step"]) == (0.25, "rendering_video"))

    await until(shown)
    for wrong in ({"progress": 1.1}, {"progress": -0.1}, {"progress": "x"}, {"step": "s" * 129}):
        body = {"attempt": 1, "progress": 0.5, "step": "x", **wrong}
        assert (await world.report(token, task_id, "progress", **body)).status_code == 400
