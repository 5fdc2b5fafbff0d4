"""Grants for uploads within a project's quota, and uploads as inputs of tasks."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from weakref import WeakValueDictionary

import orjson

from mediatask_common.store import ArtifactStore, Incomplete, Part, UploadGrant
from mediatask_common.times import rfc3339, utcnow
from mediatask_crds.artifact import ARTIFACT_LIMIT
from mediatask_crds.mediatypes import HEAD_BYTES, input_types
from mediatask_crds.references import UPLOAD

from ..auth.access import project_not_allowed
from ..auth.principal import Principal
from ..http.errors import invalid_field, store_away
from . import records
from .records import GRANT_SECONDS, Lifetimes, Upload
from .refusals import quota_exceeded, upload_in_use, upload_incomplete, upload_not_found
from .schemas import CompleteAnswer, PartAnswer, UploadAnswer, UploadRequest
from .sweep import delete


@dataclass(frozen=True)
class Quota:
    """What the uploads of one project may take, open grants included."""

    bytes: int
    count: int


@dataclass(frozen=True)
class Input:
    """A stored file that a task may read."""

    key: str
    sha256: str


class Unusable(ValueError):
    """The reference names nothing that this project's tasks may use."""


class Uploads:
    """The uploads of all projects. Methods raise OSError when the store is away, where nothing else is said."""

    def __init__(self, store: ArtifactStore, quota: Quota, lifetimes: Lifetimes) -> None:
        self._store = store
        self._quota = quota
        self._lifetimes = lifetimes
        self._reserving: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def grant(self, caller: Principal, request: UploadRequest, base: str) -> UploadAnswer:
        """Permission to upload one file.

        Args:
            base: URL of the uploads' routes.

        Raises:
            ApiError: 400, 403, 409 where the quota is used up, 503.
        """
        project = request.project_id
        if not caller.allows(project):
            raise project_not_allowed(project)
        sizes = records.part_sizes(request.bytes)
        in_parts = len(sizes) > 1
        if len(request.parts_sha256) != (len(sizes) if in_parts else 0):
            wanted = f"a file of this size has {len(sizes)} parts" if in_parts else "files up to 64 MiB have no parts"
            raise invalid_field(["body", "parts_sha256"], wanted)
        upload_id = secrets.token_hex(16)
        expires_at = utcnow() + timedelta(seconds=GRANT_SECONDS)
        try:
            await self._reserve(caller, request, upload_id)
            grants = await self._grants(request, upload_id, sizes)
        except OSError as error:
            raise store_away(error) from error
        parts = [
            PartAnswer(number=number, bytes=size, url=part.url, headers=part.headers)
            for number, (size, part) in enumerate(zip(sizes, grants, strict=True), 1)
        ]
        return UploadAnswer(
            upload_id=upload_id,
            reference=f"{UPLOAD}{upload_id}",
            method="PUT",
            url=None if in_parts else grants[0].url,
            headers={} if in_parts else grants[0].headers,
            expires_at=rfc3339(expires_at),
            parts=parts if in_parts else [],
            complete_url=f"{base}/{upload_id}/complete" if in_parts else None,
        )

    async def _reserve(self, caller: Principal, request: UploadRequest, upload_id: str) -> None:
        """Count the upload from now on, unless that is too much.

        It is written first and counted then: of several replicas at least the last one to write sees all, so that no
        race gets past the quota. Within one replica nobody is refused for a grant that is refused itself.
        """
        project = request.project_id
        key = records.grant_key(project, upload_id, request.bytes)
        about = request.model_dump(exclude={"parts_sha256"}) | {"granted_to": caller.id}
        lock = self._reserving.setdefault(project, asyncio.Lock())
        async with lock:
            await self._store.create(key, orjson.dumps(about), "application/json")
            now, count, size = utcnow(), 0, 0
            async for upload in records.read(self._store.objects(records.folder(project))):
                if upload.expires_at(self._lifetimes) > now:
                    count += 1
                    size += max(upload.announced, upload.content.bytes if upload.content else 0)
            if count <= self._quota.count and size <= self._quota.bytes:
                return
            await self._store.delete(key)
        raise quota_exceeded(project, self._quota.count, self._quota.bytes)

    async def _grants(self, request: UploadRequest, upload_id: str, sizes: list[int]) -> list[UploadGrant]:
        key = records.content_key(request.project_id, upload_id)
        if len(sizes) == 1:
            granted = self._store.upload_grant(
                key,
                content_type=request.content_type,
                size=request.bytes,
                sha256=request.sha256,
                expires=GRANT_SECONDS,
                outside=True,
            )
            return [granted]
        parts = [Part(size, digest) for size, digest in zip(sizes, request.parts_sha256, strict=True)]
        return await self._store.part_grants(
            key, parts, content_type=request.content_type, sha256=request.sha256, expires=GRANT_SECONDS
        )

    async def complete(self, caller: Principal, project: str, upload_id: str) -> CompleteAnswer:
        """Put the parts of an upload together. Repeating it changes nothing.

        Raises:
            ApiError: 404 for one that there is not, also of a foreign project; 409 where parts are missing; 503.
        """
        unknown = upload_not_found(upload_id)
        if not caller.allows(project):
            raise unknown
        try:
            upload = await self._find(project, upload_id)
            if upload is None:
                raise unknown
            if not upload.complete:
                await self._store.join_parts(
                    records.content_key(project, upload_id), records.part_sizes(upload.announced)
                )
        except FileNotFoundError:
            raise upload_incomplete("Nothing has been uploaded yet.") from None
        except Incomplete as error:
            raise upload_incomplete(f"The {error}.") from error
        except OSError as error:
            raise store_away(error) from error
        return CompleteAnswer(upload_id=upload_id, reference=f"{UPLOAD}{upload_id}", bytes=upload.announced)

    async def delete(self, caller: Principal, project: str, upload_id: str, user: Callable[[], Awaitable[str]]) -> None:
        """Delete an upload that no unfinished task uses: its part of the quota is free at once.

        Args:
            user: finds such a task; asked only where a task has ever used the upload.

        Raises:
            ApiError: 404 for one that there is not, also of a foreign project; 409 where it is in use; 503.
        """
        if not caller.allows(project):
            raise upload_not_found(upload_id)
        try:
            upload = await self._find(project, upload_id)
            if upload is None:
                raise upload_not_found(upload_id)
            if upload.used is not None and (task_id := await user()):
                raise upload_in_use(upload_id, task_id)
            await delete(self._store, upload)
        except OSError as error:
            raise store_away(error) from error

    async def find(self, project: str, upload_id: str) -> Input:
        """The content of an upload, looked at: it begins like what it was announced to be. Raises Unusable."""
        upload = await self._find(project, upload_id)
        if upload is None:
            raise Unusable("this project has no such upload")
        if not upload.complete:
            raise Unusable("nothing has been uploaded yet")
        try:
            found, head = await self._store.start(records.content_key(project, upload_id), HEAD_BYTES)
        except FileNotFoundError:
            raise Unusable("this project has no such upload") from None
        if found.content_type not in input_types(head):
            raise Unusable(f"the upload is no {found.content_type}, which it was announced to be")
        if found.sha256 is None or found.bytes > ARTIFACT_LIMIT:
            raise Unusable("the upload is not what was announced")
        return Input(found.key, found.sha256)

    async def keep(self, project: str, upload_id: str) -> None:
        """Note that a task uses an upload: it is kept for longer from now on."""
        await self._store.create(records.use_key(project, upload_id, utcnow().date()), b"", "text/plain")

    async def _find(self, project: str, upload_id: str) -> Upload | None:
        """An upload that has not expired."""
        listed = self._store.objects(records.folder(project, upload_id))
        found = [upload async for upload in records.read(listed)]
        return found[0] if found and found[0].expires_at(self._lifetimes) > utcnow() else None
