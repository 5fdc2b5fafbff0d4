"""Uploads of local files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import httpx

from .. import inputs
from ..credentials import NO_CREDENTIAL
from ..models import Upload
from ..rest import calls
from ..rest.failures import failure
from .connection import AsyncConnected


class AsyncUploads(AsyncConnected):
    """Sends files to the service's store."""

    async def upload(
        self, path: Path, project_id: str, *, on_progress: Callable[[int, int], None] | None = None
    ) -> Upload:
        """Upload a picture, recording or film; its `reference` then stands where a task's data takes a URL.

        Args:
            on_progress: called with the bytes sent and those of the whole file.

        Raises:
            UsageError: the file cannot be read, or is of no type that tasks take.
        """
        file = await asyncio.to_thread(inputs.examine, path)
        grant = await self._run(calls.grant_upload(project_id, file.announcement))
        sent = 0

        def tell(size: int) -> None:
            if on_progress:
                on_progress(sent + size, file.bytes)

        for part in grant.parts:
            await self._put(part.url, part.headers, path, sent, part.bytes, tell)
            sent += part.bytes
        if grant.url:
            await self._put(grant.url, grant.headers, path, 0, file.bytes, tell)
        else:
            await self._run(calls.complete_upload(project_id, grant.upload_id))
        return grant

    async def delete_upload(self, upload_id: str, project_id: str) -> None:
        """Delete an upload (`Upload.upload_id`) before it expires, which frees its part of the quota.

        Raises:
            NotFound: there is none in this project.
            Conflict: a task uses it that has not ended.
        """
        await self._run(calls.delete_upload(project_id, upload_id))

    async def _put(
        self, url: str, headers: Mapping[str, str], path: Path, start: int, size: int, tell: Callable[[int], None]
    ) -> None:
        """Send a file, or a part of it, to the store."""
        tries = 0
        while True:
            tries += 1
            outcome: httpx.Response | httpx.RequestError
            try:
                outcome = await self._http.put(
                    url,
                    # A length of its own, or it would be sent in chunks, which S3 refuses.
                    headers={"Content-Length": str(size), **headers},
                    content=self._pieces(path, start, size, tell),
                    timeout=httpx.Timeout(120, connect=5),
                    # The address is signed: no credential travels there.
                    auth=NO_CREDENTIAL,
                    follow_redirects=False,
                )
                # 412: it is there, from a try whose answer was lost. Nothing else can be sent to this URL.
                if outcome.is_success or outcome.status_code == 412:
                    return
            except httpx.RequestError as error:
                outcome = error
            pause = calls.put_delay(tries, outcome)
            if pause is None:
                raise failure(str(httpx.URL(url).join("/")), outcome)
            await asyncio.sleep(pause)

    async def _pieces(self, path: Path, start: int, size: int, tell: Callable[[int], None]) -> AsyncIterator[bytes]:
        sent = 0
        for piece in inputs.pieces(path, start, size):
            yield piece
            sent += len(piece)
            tell(sent)
