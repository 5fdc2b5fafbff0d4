"""The routes of Job pods: progress, inputs, artifacts, result."""

from __future__ import annotations

from fastapi import APIRouter, Request

from mediatask_common.kube import Object
from mediatask_crds.podcontract import (
    ArtifactGrant,
    ArtifactRequest,
    InputGrant,
    InputRequest,
    ProgressAnswer,
    ProgressReport,
    ResultAnswer,
    ResultReport,
)

from ..dependencies import Ctx, Services
from ..http.body import parse, read_json
from ..http.errors import ApiError
from ..tasks.reader import TaskReader
from . import results
from .auth import CallingPod
from .fencing import Pod, check_not_cancelled, check_pod, check_task

router = APIRouter(prefix="/internal/v1/tasks/{task_id}", tags=["internal"])


@router.post("/progress")
async def progress(request: Request, services: Ctx, pod: CallingPod, task_id: str) -> ProgressAnswer:
    """How far the attempt is."""
    report = parse(ProgressReport, await read_json(request))
    check_pod(pod, task_id, report.attempt)
    desk = services.desks.of(pod.namespace)
    task = await _task_seen_lately(desk.reader, pod, task_id)
    await desk.progress.take(task, pod, report)
    return ProgressAnswer(cancel=task["spec"].get("cancel", False))


@router.post("/inputs")
async def inputs(request: Request, services: Ctx, pod: CallingPod, task_id: str) -> InputGrant:
    """Readable URLs for references. None can be resolved: this service takes no uploads of inputs."""
    wanted = parse(InputRequest, await read_json(request))
    check_pod(pod, task_id, wanted.attempt)
    check_task(pod, await _task_now(services, pod, task_id))
    if wanted.refs:
        raise ApiError(404, "input-not-found", f"There is no input {wanted.refs[0]!r}.")
    return InputGrant(urls={})


@router.post("/artifacts")
async def artifacts(request: Request, services: Ctx, pod: CallingPod, task_id: str) -> ArtifactGrant:
    """Leave to upload one file."""
    wanted = parse(ArtifactRequest, await read_json(request))
    check_pod(pod, task_id, wanted.attempt)
    task = check_task(pod, await _task_now(services, pod, task_id))
    check_not_cancelled(task)
    return results.grant(services.store, task, wanted)


@router.post("/result")
async def result(request: Request, services: Ctx, pod: CallingPod, task_id: str) -> ResultAnswer:
    """Publish. A pod that comes after the winner is told so, and has nothing left to do."""
    report = parse(ResultReport, await read_json(request))
    check_pod(pod, task_id, report.attempt)
    task = await _task_now(services, pod, task_id)
    try:
        check_not_cancelled(check_task(pod, task))
    except ApiError as error:
        earlier = await results.published_before(services.store, task) if task and error.status == 409 else None
        if earlier is None:
            raise
        return earlier
    assert task is not None
    return await results.publish(services.store, task, report)


async def _task_now(services: Services, pod: Pod, task_id: str) -> Object | None:
    """The task as the API server has it, in the pod's own namespace."""
    return await services.desks.of(pod.namespace).reader.get_true(task_id)


async def _task_seen_lately(reader: TaskReader, pod: Pod, task_id: str) -> Object:
    """The task behind the fence. Old news may let a report pass, but only the truth may refuse one."""
    try:
        return check_task(pod, await reader.get(task_id))
    except ApiError:
        return check_task(pod, await reader.get_true(task_id))
