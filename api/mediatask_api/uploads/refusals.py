"""Why something that is asked of an upload is refused."""

from __future__ import annotations

from ..http.errors import ApiError


def upload_not_found(upload_id: str) -> ApiError:
    return ApiError(404, "upload-not-found", f"There is no upload {upload_id!r} in this project.")


def upload_incomplete(detail: str) -> ApiError:
    return ApiError(409, "upload-incomplete", detail)


def quota_exceeded(project: str, count: int, size: int) -> ApiError:
    detail = (
        f"The project {project!r} may have {count} uploads with {size} bytes in all, and this one would exceed that; "
        "unused ones expire by themselves."
    )
    return ApiError(409, "upload-quota-exceeded", detail)
