"""Publishing: leave to upload files, and the one object whose creation decides who has made the result."""

from __future__ import annotations

import orjson

from mediatask_common.kube import Object
from mediatask_common.store import ArtifactStore, artifact_key, result_key
from mediatask_crds.podcontract import ArtifactGrant, ArtifactRequest, ResultAnswer, ResultReport

from ..http.errors import invalid_field, store_away


def grant(store: ArtifactStore, task: Object, request: ArtifactRequest) -> ArtifactGrant:
    """Leave to create one file under the attempt's own prefix."""
    key = artifact_key(task["spec"]["projectId"], task["metadata"]["uid"], request.attempt, request.name)
    upload = store.upload_grant(key, content_type=request.content_type, size=request.bytes, sha256=request.sha256)
    return ArtifactGrant(key=key, url=upload.url, headers=upload.headers)


async def publish(store: ArtifactStore, task: Object, report: ResultReport) -> ResultAnswer:
    """Create the task's result, unless there is one.

    Raises:
        ApiError: 400 for files that the attempt does not own, 503 when the store is away.
    """
    project, uid = task["spec"]["projectId"], task["metadata"]["uid"]
    own = artifact_key(project, uid, report.attempt, "")
    for index, artifact in enumerate(report.result.artifacts):
        if artifact_key(project, uid, report.attempt, artifact.name) != artifact.key:
            raise invalid_field(["body", "result", "artifacts", index, "key"], f"not {own}{artifact.name}")
    key = result_key(project, uid)
    content = orjson.dumps(report.model_dump(mode="json"))
    try:
        if await store.create(key, content, "application/json"):
            return ResultAnswer(result_key=key)
        # The same report again is the same pod, whose first answer was lost: it has won all the same.
        return ResultAnswer(result_key=key, superseded=await store.read(key) != content)
    except OSError as error:
        raise store_away(error) from error


async def published_before(store: ArtifactStore, task: Object) -> ResultAnswer | None:
    """The answer to a pod that comes too late because the task has a result already."""
    key = result_key(task["spec"]["projectId"], task["metadata"]["uid"])
    try:
        return ResultAnswer(result_key=key, superseded=True) if await store.head(key) else None
    except OSError as error:
        raise store_away(error) from error
