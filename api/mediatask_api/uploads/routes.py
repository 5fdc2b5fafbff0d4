"""Uploads: files of callers, as inputs of tasks."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response

from mediatask_crds.references import UPLOAD
from mediatask_crds.task import ProjectId

from ..auth.access import Caller, project_not_allowed, require
from ..dependencies import Ctx
from ..http import BASE
from ..http.body import JsonBody
from ..http.openapi.document import problems
from ..http.openapi.examples import PATH_SAMPLES
from ..http.route import Route
from .refusals import quota_exceeded, upload_in_use, upload_incomplete, upload_not_found
from .schemas import CompleteAnswer, CompleteRequest, UploadAnswer, UploadRequest

router = APIRouter(
    prefix=f"{BASE}/uploads", tags=["uploads"], route_class=Route, dependencies=[require("uploads:write")]
)

UploadId = Annotated[str, Path(pattern="^[0-9a-f]{32}$")]


@router.post(
    "",
    operation_id="createUpload",
    status_code=201,
    response_model=UploadAnswer,
    responses=problems(
        project_not_allowed(PATH_SAMPLES["project_id"]), quota_exceeded(PATH_SAMPLES["project_id"], 1000, 20 * 1024**3)
    ),
)
async def create(
    services: Ctx, caller: Caller, wanted: Annotated[UploadRequest, Depends(JsonBody(UploadRequest))]
) -> UploadAnswer:
    """Permission to upload one file of just this size, type and digest, straight to the store.

    Send it to `url` with `headers`, then name `reference` where a task's data takes a URL. Files above 64 MiB are sent
    in parts. An upload that no task uses expires.
    """
    return await services.uploads.grant(caller, wanted, f"{services.settings.public_url or ''}{BASE}/uploads")


@router.delete(
    "/{upload_id}",
    operation_id="deleteUpload",
    status_code=204,
    response_class=Response,
    responses=problems(
        upload_not_found(PATH_SAMPLES["upload_id"]), upload_in_use(PATH_SAMPLES["upload_id"], PATH_SAMPLES["task_id"])
    ),
)
async def delete(
    services: Ctx,
    caller: Caller,
    upload_id: UploadId,
    project_id: Annotated[ProjectId, Query(description="Project of the upload.")],
) -> Response:
    """Delete an upload before it expires, which frees its part of the quota.

    It is refused while a task uses it that has not ended. A task that is retried later does not find it any more.
    """
    reader, reference = services.reader, f"{UPLOAD}{upload_id}"
    await services.uploads.delete(
        caller, project_id, upload_id, lambda: reader.unfinished_naming(project_id, reference)
    )
    return Response(status_code=204)


@router.post(
    "/{upload_id}/complete",
    operation_id="completeUpload",
    response_model=CompleteAnswer,
    responses=problems(
        upload_not_found(PATH_SAMPLES["upload_id"]), upload_incomplete("Nothing has been uploaded yet.")
    ),
)
async def complete(
    services: Ctx,
    caller: Caller,
    upload_id: UploadId,
    wanted: Annotated[CompleteRequest, Depends(JsonBody(CompleteRequest))],
) -> CompleteAnswer:
    """Put together an upload whose parts have all been sent. Only files above 64 MiB need it."""
    return await services.uploads.complete(caller, wanted.project_id, upload_id)
