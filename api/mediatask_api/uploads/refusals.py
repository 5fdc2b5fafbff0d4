"""Why something that is asked of an upload is refused."""

from __future__ import annotations

from ..http.errors import ApiError


def upload_not_found(upload_id: str) -> ApiError:
    return ApiError(404, "upload-not-found", f"There is no upload {upload_id!r} in this project.")


def upload_incomplete(detail: str) -> ApiError:
    return ApiError(409, "upload-incomplete", detail)


def upload_in_use(upload_id: str, task_id: str) -> ApiError:
    return ApiError(409, "upload-in-use", f"The task {task_id!r}, which has not ended, uses the upload {upload_id!r}.")


def quota_exceeded(project: str, count: int, size: int) -> ApiError:
    detail = (
        f"The project {project!r} may have {count} uploads with {size} bytes in all, and this one would exceed that; "
        "unused ones expire by themselves."
    )
    return ApiError(409, "upload-quota-exceeded", detail)
