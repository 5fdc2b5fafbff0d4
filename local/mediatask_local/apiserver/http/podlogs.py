"""`GET pods/NAME/log`: the log file that the job runner writes; all of it or its tail, optionally followed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from ..errors import ApiError, bad_request
from ..objects import Object, lookup
from .queries import boolean, whole_number

# Annotation in which the job runner records the path of a pod's log file.
LOG_ANNOTATION = "embedded.tasks.ft.tc/log"
_POLL_SECONDS = 0.2
_CHUNK = 64 * 1024


async def serve_log(request: web.BaseRequest, pod: Object, current: Callable[[], Object | None]) -> web.StreamResponse:
    """Serve a log request. `current` returns the pod as it is now, None once it is gone. Raises ApiError 400."""
    query = request.query
    _check_container(pod, query.get("container"))
    if boolean(query, "previous"):
        name = pod["metadata"]["name"]
        raise bad_request(f'previous terminated container in pod "{name}" not found')
    if not pod["spec"].get("nodeName"):
        return web.Response(status=204)
    path = _log_file(pod)
    if path is None:
        raise _waiting(pod)
    follow = boolean(query, "follow")
    position = await asyncio.to_thread(_start, path, whole_number(query, "tailLines"))
    left = whole_number(query, "limitBytes")
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    response.enable_chunked_encoding()
    await response.prepare(request)
    while True:
        # Checked before reading: once the pod has terminated, all of its output is in the file.
        ended = not follow or _ended(current())
        while chunk := await asyncio.to_thread(_read, path, position, left):
            position += len(chunk)
            left = left - len(chunk) if left is not None else None
            await response.write(chunk)
        if ended or left == 0:
            return response
        await asyncio.sleep(_POLL_SECONDS)


def _check_container(pod: Object, wanted: str | None) -> None:
    names = [c["name"] for field in ("initContainers", "containers") for c in pod["spec"].get(field) or ()]
    name = pod["metadata"]["name"]
    if wanted and wanted not in names:
        raise bad_request(f"container {wanted} is not valid for pod {name}")
    if not wanted and len(pod["spec"]["containers"]) > 1:
        raise bad_request(f"a container name must be specified for pod {name}, choose one of: [{' '.join(names)}]")


def _log_file(pod: Object) -> Path | None:
    path = (pod["metadata"].get("annotations") or {}).get(LOG_ANNOTATION)
    return Path(path) if path else None


def _waiting(pod: Object) -> ApiError:
    statuses = lookup(pod, "status.containerStatuses") or [{}]
    reason = lookup(statuses[0], "state.waiting.reason") or "ContainerCreating"
    container = pod["spec"]["containers"][0]["name"]
    name = pod["metadata"]["name"]
    return bad_request(f'container "{container}" in pod "{name}" is waiting to start: {reason}')


def _ended(pod: Object | None) -> bool:
    return pod is None or lookup(pod, "status.phase") in ("Succeeded", "Failed")


def _read(path: Path, position: int, limit: int | None) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(position)
            return file.read(_CHUNK if limit is None else min(_CHUNK, limit))
    except FileNotFoundError:
        return b""


def _start(path: Path, tail_lines: int | None) -> int:
    """Byte offset of the last `tail_lines` lines (0 when None)."""
    if tail_lines is None or not path.exists():
        return 0
    size = path.stat().st_size
    if tail_lines == 0:
        return size
    position, newlines = size, 0
    with path.open("rb") as file:
        while position > 0:
            start = max(0, position - _CHUNK)
            file.seek(start)
            block = file.read(position - start)
            for offset in range(len(block) - 1, -1, -1):
                # The newline at the end of the file does not start another line.
                if block[offset] == 0x0A and start + offset != size - 1:
                    newlines += 1
                    if newlines == tail_lines:
                        return start + offset + 1
            position = start
    return 0
