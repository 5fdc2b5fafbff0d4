"""The effect that makes a completed task's media a document of PayloadCMS: one document per task, whatever breaks off.

It looks the document up by the task's id before it creates one, and after a refusal, which a try that broke off may
have caused; the collection's unique `task_id` does the rest. Nothing is remembered here: whoever kills the operator at
any point finds the document, or none, at the next try.
"""

from __future__ import annotations

import mimetypes
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import PurePosixPath
from typing import Any

from mediatask_common.kube import KubeError
from mediatask_common.logging import get_logger
from mediatask_common.store import ArtifactStore
from mediatask_crds.task import ArtifactStatus

from ...deciding.observation import Registration, Task
from ...deciding.plan import RegisterMedia
from ...deciding.reasons import Reason
from ...metrics import Metrics
from ...settings import PayloadSettings
from ..base import ReadData
from .client import Document, File, PayloadAway, PayloadClient, PayloadRefused
from .fields import Fields
from .recovery import Recovery

log = get_logger(__name__)

KEY_FIELD = "task_id"
_NAME_LIMIT = 100


class _Failure(Exception):
    def __init__(self, reason: Reason, error: str, *, permanent: bool = False) -> None:
        super().__init__(error)
        self.reason = reason
        self.permanent = permanent


class RegisterInPayload:
    """The effect that tries once to register a task's media; when and how often is decided elsewhere."""

    name = "payload"

    def __init__(
        self,
        client: PayloadClient,
        settings: PayloadSettings,
        store: ArtifactStore,
        data: ReadData,
        metrics: Metrics,
        recovery: Recovery,
    ) -> None:
        self._client = client
        self._settings = settings
        self._fields = Fields(settings.fields)
        self._store = store
        self._data = data
        self._metrics = metrics
        self._recovery = recovery

    def lane(self, task: Task) -> str:
        """The project: one with large files does not hold up the others."""
        return task.spec.project_id

    async def run(self, task: Task, action: RegisterMedia) -> Registration | None:
        """Try once. Every outcome is a Registration; None where the status has it already."""
        state, result = task.status.registration, task.status.result
        if state is None or result is None or state.registered_at or state.attempts >= action.number:
            return None
        outcome = await self._try(task, result.artifacts[0], action.number)
        self._metrics.registrations.labels("registered" if outcome.media_id else "failed").inc()
        log.info("payload", task=task.name, number=action.number, document=outcome.media_id, error=outcome.error)
        return outcome

    def failed(self, action: RegisterMedia, error: Exception) -> Registration:
        return Registration(action.number, error=f"internal error: {type(error).__name__}")

    async def _try(self, task: Task, media: ArtifactStatus, number: int) -> Registration:
        try:
            document = await self._register(task, media)
            self._recovery.tell(True)
            _check(document, media)
        except PayloadRefused as error:
            if error.of_all:
                self._recovery.tell(False)
            return Registration(number, reason=Reason.PAYLOAD_REFUSED, error=str(error), permanent=True)
        except PayloadAway as error:
            if error.retry_after is None:
                self._recovery.tell(False)
            else:
                self._recovery.wait(error.retry_after)
            return Registration(number, error=str(error), retry_after=error.retry_after)
        except _Failure as failure:
            return Registration(number, reason=failure.reason, error=str(failure), permanent=failure.permanent)
        return Registration(number, str(document.id), Reason.REGISTERED)

    async def _register(self, task: Task, media: ArtifactStatus) -> Document:
        found = await self._find(task)
        if found is not None:
            return found
        fields = self._fields.render(await self._known(task, media))
        content = _Content(self._store.stream(media.key), media.bytes)
        file = File(_file_name(task, media), media.content_type, media.bytes, content.pieces())
        try:
            return await self._client.create(self._settings.collection, {KEY_FIELD: task.name, **fields}, file)
        except PayloadAway:
            if content.error is not None:
                raise _unreadable(content.error) from content.error
            raise
        except PayloadRefused as error:
            found = await self._find(task) if error.status == 400 else None
            if found is None:
                raise
            return found

    async def _find(self, task: Task) -> Document | None:
        return await self._client.find(self._settings.collection, KEY_FIELD, task.name, ("filesize",))

    async def _known(self, task: Task, media: ArtifactStatus) -> dict[str, Any]:
        """What the templates may speak of."""
        spec, result = task.spec, task.status.result
        known: dict[str, Any] = {
            "task_id": task.name,
            "project_id": spec.project_id,
            "task_type": spec.task_type,
            "class_name": task.status.class_name,
            "tags": spec.tags,
            "metadata": spec.metadata,
            "result": {
                "metadata": result.metadata if result else {},
                "content_type": media.content_type,
                "sha256": media.sha256,
                "bytes": media.bytes,
            },
        }
        if "task_data" in self._fields.roots:
            try:
                known["task_data"] = await self._data(task)
            except KubeError as error:
                raise _Failure(Reason.MEDIA_UNREADABLE, f"the task's data cannot be read: {error.status}") from error
        if "project" in self._fields.roots:
            known["project"] = await self._project(spec.project_id)
        return known

    async def _project(self, project_id: str) -> str | int:
        """The id of the project's own document, for a relation to it."""
        collection, field = self._settings.projects.split(".")
        found = await self._client.find(collection, field, project_id, (field,))
        if found is None:
            raise PayloadRefused(f"the collection {collection} has no document whose {field} is {project_id}")
        return found.id


class _Content:
    """The media as it is read, of the announced length; remembers why it could not be read."""

    def __init__(self, stream: AsyncGenerator[bytes, None], size: int) -> None:
        self._stream = stream
        self._left = size
        self.error: OSError | None = None

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        try:
            async with aclosing(self._stream) as stream:
                async for piece in stream:
                    self._left -= len(piece)
                    if self._left < 0:
                        break
                    yield piece
            if self._left:
                raise OSError("the media in the store has another size than was reported")
        except OSError as error:
            self.error = error
            raise


def _check(document: Document, media: ArtifactStatus) -> None:
    size = document.values.get("filesize")
    if size != media.bytes:
        told = f"document {document.id} has a file of {str(size)[:20]} bytes, the media has {media.bytes}"
        raise _Failure(Reason.DOCUMENT_MISMATCH, told, permanent=True)


def _unreadable(error: OSError) -> _Failure:
    if isinstance(error, FileNotFoundError):
        return _Failure(Reason.MEDIA_UNREADABLE, "it is not there any more", permanent=True)
    return _Failure(Reason.MEDIA_UNREADABLE, str(error)[:300])


def _file_name(task: Task, media: ArtifactStatus) -> str:
    """The same at every try, and no other task's, one of the same name included."""
    ending = PurePosixPath(media.name).suffix or mimetypes.guess_extension(media.content_type) or ""
    return f"{task.name[:_NAME_LIMIT]}-{task.uid[:8]}{ending}"
