"""Downloads of what tasks made."""

from __future__ import annotations

from pathlib import Path

import httpx

from .. import files
from ..credentials import NO_CREDENTIAL
from ..errors import Unavailable
from ..models import Artifact
from ..rest import calls
from ..rest.failures import refusal
from .connection import AsyncConnected


class AsyncMedia(AsyncConnected):
    """Fetches files from the service's store."""

    async def download(self, task_id: str, to: Path) -> Path:
        """Write a completed task's media to a file, or into a folder; the path written is returned.

        Raises:
            NotCompleted, TaskFailed: there is none.
        """
        (artifact, *_) = (await self._run(calls.status(task_id))).artifacts()
        return await self.fetch(artifact, files.target(to, task_id, artifact))

    async def fetch(self, artifact: Artifact, path: Path) -> Path:
        """Write one of a task's files (`Task.artifacts`); it appears once it is complete and its checksum is right."""
        try:
            async with self._http.stream("GET", artifact.url, auth=NO_CREDENTIAL, follow_redirects=True) as response:
                if not response.is_success:
                    await response.aread()
                    raise refusal(response)
                with files.complete(path, artifact) as out:
                    async for chunk in response.aiter_bytes():
                        out.write(chunk)
        except (httpx.RequestError, httpx.InvalidURL) as error:
            raise Unavailable(f"the download of {artifact.name} was interrupted ({error}): try again") from error
        return path
