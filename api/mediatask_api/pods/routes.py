"""The routes of Job pods: progress, inputs, artifacts, result."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from mediatask_common.kube import Object
from mediatask_crds.podcontract import (
    ArtifactGrant,
    ArtifactRequest,
    InputGrant,
    InputRequest,
    PreviewReport,
    ProgressAnswer,
    ProgressReport,
    ResultAnswer,
    ResultReport,
)

from ..dependencies import Ctx, Services
from ..http.body import JsonBody
from ..http.errors import ApiError, invalid_field
from ..http.route import Route
from ..tasks.reading.reader import TaskReader
from ..uploads.references import References
from . import results
from .auth import CallingPod, pod_token
from .data import data_of
from .fencing import Pod, check_not_cancelled, check_pod, check_task
from .inputs import granted_inputs
from .previews import checked, previews_allowed

router = APIRouter(
    prefix="/internal/v1/tasks/{task_id}",
    tags=["internal"],
    route_class=Route,
    dependencies=[pod_token],
    include_in_schema=False,
)


@router.post("/progress")
async def progress(
    services: Ctx, pod: CallingPod, task_id: str, report: Annotated[ProgressReport, Depends(JsonBody(ProgressReport))]
) -> ProgressAnswer:
    """How far the attempt is."""
    check_pod(pod, task_id, report.attempt)
    reports = services.reports.of(pod.namespace)
    task = await _task_seen_lately(reports.reader, pod, task_id)
    await reports.progress.take(task, pod, report)
    if report.usage is not None:
        await reports.usages.keep(pod.uid, report.usage)
    return ProgressAnswer(cancel=task["spec"].get("cancel", False))


@router.post("/preview")
async def preview(
    services: Ctx, pod: CallingPod, task_id: str, report: Annotated[PreviewReport, Depends(JsonBody(PreviewReport))]
) -> ProgressAnswer:
    """How the picture looks so far; dropped where previews come too often."""
    check_pod(pod, task_id, report.attempt)
    reports = services.reports.of(pod.namespace)
    task = await _task_seen_lately(reports.reader, pod, task_id)
    if not previews_allowed(task):
        return ProgressAnswer(cancel=task["spec"].get("cancel", False))
    try:
        image = checked(report.image)
    except ValueError as error:
        raise invalid_field(["body", "image"], str(error)) from error
    await reports.progress.show(task, pod, report, image)
    return ProgressAnswer(cancel=task["spec"].get("cancel", False))


@router.get("/data")
async def data(services: Ctx, pod: CallingPod, task_id: str) -> dict[str, Any]:
    """The data that the task runs with, for a pod whose environment does not hold it."""
    check_pod(pod, task_id, pod.attempt)
    return await data_of(services.store, check_task(pod, await _task_now(services, pod, task_id)))


@router.post("/inputs")
async def inputs(
    services: Ctx, pod: CallingPod, task_id: str, wanted: Annotated[InputRequest, Depends(JsonBody(InputRequest))]
) -> InputGrant:
    """Readable URLs for references: those that stand in the task's own data."""
    check_pod(pod, task_id, wanted.attempt)
    task = check_task(pod, await _task_now(services, pod, task_id))
    references = References(services.uploads, services.reports.of(pod.namespace).reader)
    return await granted_inputs(services.store, references, task, wanted.refs)


@router.post("/artifacts")
async def artifacts(
    services: Ctx, pod: CallingPod, task_id: str, wanted: Annotated[ArtifactRequest, Depends(JsonBody(ArtifactRequest))]
) -> ArtifactGrant:
    """Leave to upload one file."""
    check_pod(pod, task_id, wanted.attempt)
    task = check_task(pod, await _task_now(services, pod, task_id))
    check_not_cancelled(task)
    return results.grant(services.store, task, wanted)


@router.post("/result")
async def result(
    services: Ctx, pod: CallingPod, task_id: str, report: Annotated[ResultReport, Depends(JsonBody(ResultReport))]
) -> ResultAnswer:
    """Publish. A pod that comes after the winner is told so, and has nothing left to do."""
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
    return await services.reports.of(pod.namespace).reader.get_true(task_id)


async def _task_seen_lately(reader: TaskReader, pod: Pod, task_id: str) -> Object:
    """The task behind the fence. Old news may let a report pass, but only the truth may refuse one."""
    try:
        return check_task(pod, await reader.get(task_id))
    except ApiError:
        return check_task(pod, await reader.get_true(task_id))
