"""The log of an attempt: read through Kubernetes while its pod is there, else what the operator kept of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager

from mediatask_common.kube import PODS, Kube, KubeError, Object
from mediatask_common.store import ArtifactStore, log_key
from mediatask_crds.freeform import without_control_characters
from mediatask_crds.names import LABEL_ATTEMPT, LABEL_TASK, label_value

from ..http.errors import store_away
from .refusals import no_log, pod_not_started

KEPT_LIMIT = 1024 * 1024
"""Bytes of a kept log; the operator keeps less."""
LOOK_SECONDS = 1.0
"""A caller who hangs up before the first line is noticed within this time."""


@asynccontextmanager
async def open_log(
    kube: Kube,
    store: ArtifactStore,
    task: Object,
    attempt: int | None,
    follow_seconds: float | None,
    gone: Callable[[], Awaitable[bool]],
) -> AsyncIterator[AsyncIterator[bytes]]:
    """The lines of the log, fit for a terminal. The stream from Kubernetes is closed with the block.

    Args:
        attempt: whose log; the latest one's when absent.
        follow_seconds: go on until the pod ends, but no longer than this; None for the lines that there are.
        gone: whether the caller has hung up, asked until there is a first line.

    Raises:
        ApiError: 404 when there is neither a pod nor a kept log, 409 when its container has not started.
    """
    name, namespace = task["metadata"]["name"], task["metadata"]["namespace"]
    pods = (await kube.list(PODS, namespace, labelSelector=f"{LABEL_TASK}={label_value(name)}"))["items"]
    latest = max([(task.get("status") or {}).get("attempt") or 0, *(_recency(pod)[0] for pod in pods)])
    wanted = latest if attempt is None else attempt
    pod = max((pod for pod in pods if _recency(pod)[0] == wanted), key=_recency, default=None)
    if pod is None:
        yield _lines(await _kept(store, task, wanted))
        return
    if not pod["spec"].get("nodeName"):
        raise pod_not_started()  # the API server would give an empty log
    path = PODS.path(namespace, pod["metadata"]["name"], "log")
    params = {"follow": "true"} if follow_seconds is not None else None
    deadline = None if follow_seconds is None else time.monotonic() + follow_seconds
    async with aclosing(kube.stream(path, params=params)) as lines:
        try:
            # The first line decides about the status code of the answer.
            first = await _first(lines, deadline, gone)
        except KubeError as error:
            if error.status == 400:
                raise pod_not_started() from error
            if not error.not_found:
                raise
            yield _lines(await _kept(store, task, wanted))
        else:
            yield _cleaned(first, lines, deadline)


async def _kept(store: ArtifactStore, task: Object, attempt: int) -> bytes:
    """What the operator kept. Raises ApiError where there is nothing, or the store is away."""
    try:
        return await store.read(log_key(task["spec"]["projectId"], task["metadata"]["uid"], attempt), limit=KEPT_LIMIT)
    except FileNotFoundError:
        raise no_log() from None
    except OSError as error:
        raise store_away(error) from error


async def _lines(content: bytes) -> AsyncIterator[bytes]:
    for line in content.splitlines(keepends=True):
        yield without_control_characters(line.decode(errors="replace")).encode()


async def _cleaned(first: bytes, lines: AsyncIterator[bytes], deadline: float | None) -> AsyncIterator[bytes]:
    line = first
    while line:
        yield without_control_characters(line.decode(errors="replace")).encode()
        line = await _next(lines, deadline)


async def _first(lines: AsyncIterator[bytes], deadline: float | None, gone: Callable[[], Awaitable[bool]]) -> bytes:
    """The first line; nothing where there is none, the time is over, or nobody waits for it any more."""
    reading = asyncio.create_task(_next(lines, deadline))
    try:
        while not reading.done() and not await gone():
            await asyncio.wait({reading}, timeout=LOOK_SECONDS)
    finally:
        if not reading.done():
            reading.cancel()
            await asyncio.wait({reading})
    return b"" if reading.cancelled() else reading.result()


async def _next(lines: AsyncIterator[bytes], deadline: float | None) -> bytes:
    """The next line; nothing at the end, or when the time is over."""
    try:
        async with asyncio.timeout(None if deadline is None else deadline - time.monotonic()):
            return await anext(lines, b"")
    except TimeoutError:
        return b""


def _recency(pod: Object) -> tuple[int, str]:
    attempt = (pod["metadata"].get("labels") or {}).get(LABEL_ATTEMPT, "")
    return int(attempt) if attempt.isdigit() else 0, pod["metadata"]["creationTimestamp"]
