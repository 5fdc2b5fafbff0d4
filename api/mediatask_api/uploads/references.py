"""From references in a task's data to stored files: uploads, and outputs of completed tasks of the same project."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mediatask_common.kube import Object
from mediatask_common.store import task_folder
from mediatask_crds.references import OutputReference, UploadReference, parse_reference
from mediatask_crds.task import Phase

from ..http.errors import invalid, store_away
from ..tasks.reading.reader import TaskReader
from ..tasks.resource import phase_of
from .service import Input, Unusable, Uploads

Place = tuple[str | int, ...]
"""Where in a request a reference stands."""

AT_ONCE = 16
"""References that are looked up at a time, half of the store's connections: of a batch there may be thousands."""


class References:
    """References within projects, to uploads and to the tasks of one namespace."""

    def __init__(self, uploads: Uploads, reader: TaskReader) -> None:
        self._uploads = uploads
        self._reader = reader
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def check(self, project: str, references: Sequence[tuple[Place, str]]) -> None:
        """Make sure that a new task might use these.

        Raises:
            ApiError: 400 naming each reference that cannot be used, 503 when the store is away.
        """
        try:
            found = await self._look_up(project, {reference for _, reference in references})
        except OSError as error:
            raise store_away(error) from error
        faults = [
            {"loc": list(place), "msg": f"{reference}: {fault}"}
            for place, reference in references
            if isinstance(fault := found[reference], Unusable)
        ]
        if faults:
            raise invalid(str(faults[0]["msg"]), faults)

    async def accept(self, project: str, references: Sequence[tuple[Place, str]]) -> None:
        """Make sure that a new task may use these, and keep what it uses. Raises as `check` does."""
        await self.check(project, references)
        named = [parse_reference(reference) for reference in {reference for _, reference in references}]
        uploads = [each.upload_id for each in named if isinstance(each, UploadReference)]
        try:
            await asyncio.gather(*(self._uploads.keep(project, upload_id) for upload_id in uploads))
        except OSError as error:
            raise store_away(error) from error

    async def resolve(self, project: str, references: Iterable[str]) -> dict[str, Input]:
        """The files that a task's references name. Raises Unusable for one that names none, and OSError."""
        resolved = {}
        for reference, found in (await self._look_up(project, set(references))).items():
            if isinstance(found, Unusable):
                raise Unusable(f"{reference}: {found}")
            resolved[reference] = found
        return resolved

    async def _look_up(self, project: str, references: Iterable[str]) -> Mapping[str, Input | Unusable]:
        async def look_up(reference: str) -> tuple[str, Input | Unusable]:
            async with self._slots:
                try:
                    return reference, await self._file(project, reference)
                except Unusable as error:
                    return reference, error

        return dict(await asyncio.gather(*(look_up(reference) for reference in references)))

    async def _file(self, project: str, reference: str) -> Input:
        try:
            named = parse_reference(reference)
        except ValueError as error:
            raise Unusable(str(error)) from error
        if isinstance(named, UploadReference):
            return await self._uploads.find(project, named.upload_id)
        return output(project, named, await self._reader.get(named.task_id))


def output(project: str, named: OutputReference, task: Object | None) -> Input:
    """The file of a task. Those of other projects read like none. Raises Unusable."""
    if task is None or task["spec"]["projectId"] != project:
        raise Unusable("this project has no such task")
    phase = phase_of(task)
    if phase is not Phase.COMPLETED:
        raise Unusable(f"the task is {phase}; its files can be used once it is completed")
    artifacts: list[Any] = ((task.get("status") or {}).get("result") or {}).get("artifacts") or []
    folder = task_folder(project, task["metadata"]["uid"])
    for artifact in artifacts:
        # Whoever may write a status must not be able to name a file of somebody else.
        if artifact["name"] == named.name and artifact["key"].startswith(folder):
            return Input(artifact["key"], artifact["sha256"])
    names = ", ".join(str(artifact["name"]) for artifact in artifacts[:10])
    raise Unusable(f"the task has made no such file; there are: {names}" if names else "the task has made no files")
