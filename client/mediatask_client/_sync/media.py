# Generated from `_async` by `make client`.
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
from .connection import Connected


class Media(Connected):
    """Fetches files from the service's store."""

    def download(self, task_id: str, to: Path) -> Path:
        """Write a completed task's media to a file, or into a folder; the path written is returned.

        Raises:
            NotCompleted, TaskFailed: there is none.
        """
        (artifact, *_) = (self._run(calls.status(task_id))).artifacts()
        return self.fetch(artifact, files.target(to, task_id, artifact))

    def fetch(self, artifact: Artifact, path: Path) -> Path:
        """Write one of a task's files (`Task.artifacts`); it appears once it is complete and its checksum is right."""
        try:
            with self._http.stream("GET", artifact.url, auth=NO_CREDENTIAL, follow_redirects=True) as response:
                if not response.is_success:
                    response.read()
                    raise refusal(response)
                with files.complete(path, artifact) as out:
                    for chunk in response.iter_bytes():
                        out.write(chunk)
        except (httpx.RequestError, httpx.InvalidURL) as error:
            raise Unavailable(f"the download of {artifact.name} was interrupted ({error}): try again") from error
        return path
