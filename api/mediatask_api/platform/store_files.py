"""The file store's own service: downloads on the public listener, uploads on the internal one."""

from __future__ import annotations

from pathlib import PurePosixPath

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse

from mediatask_common.store.file import BadSignature, ContentMismatch, FileStore

from ..auth.access import public
from ..http.body import steady
from ..http.errors import ApiError, invalid_field
from ..http.route import Route


def downloads(store: FileStore) -> APIRouter:
    """`GET /media/<key>?expires&signature`, with ranges."""
    router = APIRouter(tags=["media"], include_in_schema=False, route_class=Route, dependencies=[public])

    @router.api_route("/media/{key:path}", methods=["GET", "HEAD"])
    async def download(key: str, expires: str = "", signature: str = "") -> Response:
        try:
            store.verify("GET", key, expires, signature)
        except BadSignature as error:
            raise ApiError(403, "link-not-valid", f"{error}; ask for the task's status again.") from error
        found = await store.head(key)
        if found is None:
            raise ApiError(404, "no-such-file", "There is no such file.")
        return FileResponse(
            store.path(key),
            media_type=found.content_type,
            filename=PurePosixPath(key).name,
            content_disposition_type="inline",
            headers={
                # A file is content, never a page of this origin.
                "Content-Security-Policy": "default-src 'none'; media-src 'self'; sandbox",
                "Cache-Control": "private, max-age=86400, immutable",
            },
        )

    return router


def uploads(store: FileStore) -> APIRouter:
    """`PUT /store/<key>?expires&signature` with the headers of the grant: 201, 412 taken, 400 mismatch."""
    return _uploads(store, "/store")


def uploads_from_outside(store: FileStore) -> APIRouter:
    """The same at the address of the downloads, for callers; with `part=N` a part of a large file."""
    return _uploads(store, "/media")


def _uploads(store: FileStore, base: str) -> APIRouter:
    router = APIRouter(tags=["store"], include_in_schema=False, route_class=Route, dependencies=[public])

    @router.put(f"{base}/{{key:path}}")
    async def upload(
        request: Request, key: str, expires: str = "", signature: str = "", part: str | None = None
    ) -> Response:
        content_type, size, sha256 = (
            request.headers.get(name, "") for name in ("Content-Type", "X-Content-Size", "X-Content-SHA256")
        )
        numbered = () if part is None else (part,)
        try:
            store.verify("PUT", key, expires, signature, content_type, size, sha256, *numbered)
        except BadSignature as error:
            raise ApiError(403, "link-not-valid", f"{error}; ask for a new grant.") from error
        try:
            created = await store.receive(
                key,
                steady(request.stream()),
                content_type=content_type,
                size=int(size),
                sha256=sha256,
                part=None if part is None else int(part),
            )
        except ContentMismatch as error:
            raise invalid_field(["body"], str(error)) from error
        except FileNotFoundError as error:
            raise ApiError(404, "no-such-upload", "This upload is complete, or was given up.") from error
        if not created:
            raise ApiError(412, "key-taken", "There is a file under this key; files are never overwritten.")
        return Response(status_code=201)

    return router
