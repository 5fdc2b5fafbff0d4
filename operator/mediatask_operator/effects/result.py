"""The proof of a result: what a job has published, checked against the store.

A job pod is a stranger: what it says is believed only where the store bears it out, and only about files of its
own task.
"""

from __future__ import annotations

import asyncio

import orjson
from pydantic import ValidationError

from mediatask_common.store import ArtifactStore, artifact_key, result_key
from mediatask_crds.podcontract import Artifact, JobResult, ResultReport

from ..deciding.attempts import Ended
from ..deciding.observation import NotPublished, Proof, Proved, Published, StoreAway, Task
from ..deciding.plan import ReadResult
from ..deciding.reasons import Reason

REPORT_LIMIT = 256 * 1024
"""Bytes of a published report; the largest result that the contract allows is half as large."""
_MESSAGE_LIMIT = 1000


class _Unusable(Exception):
    """The result cannot be used: why."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class ProveResult:
    """The effect that asks the store what an attempt has published."""

    name = "result"

    def __init__(self, store: ArtifactStore) -> None:
        self._store = store

    def lane(self, task: Task) -> str:
        return ""  # all ask the same store

    async def run(self, task: Task, action: ReadResult) -> Proved:
        return Proved(action.attempt, await prove(self._store, task, action.attempt, action.ended))

    def failed(self, action: ReadResult, error: Exception) -> Proved:
        return Proved(action.attempt, StoreAway(f"the result could not be checked: {type(error).__name__}"))


async def prove(store: ArtifactStore, task: Task, attempt: int, ended: Ended) -> Proof:
    """What the task has published, if anything: NotPublished for whatever cannot be used.

    The termination message is taken where it holds the result; else the store is asked for the task's published
    result, whichever pod or attempt has published it. That is asked for attempts that failed, too: a pod may have
    been lost after it had published.

    Args:
        attempt: the attempt that has ended.
    """
    try:
        result = await _find(store, task, ended)
        _check_owner(task, attempt, result)
        await asyncio.gather(*(_verify(store, artifact) for artifact in result.artifacts))
    except _Unusable as error:
        return NotPublished(error.reason, str(error)[:_MESSAGE_LIMIT])
    except OSError as error:
        return StoreAway(f"the artifact store cannot be reached: {str(error)[:_MESSAGE_LIMIT]}")
    return Published(result, store.public_url(result.artifacts[0].key))


async def _find(store: ArtifactStore, task: Task, ended: Ended) -> JobResult:
    if ended.success and ended.report is not None and ended.report.result is not None:
        return ended.report.result
    try:
        content = await store.read(result_key(task.spec.project_id, task.uid), limit=REPORT_LIMIT)
        return ResultReport.model_validate(orjson.loads(content)).result
    except FileNotFoundError:
        raise _Unusable(Reason.NO_RESULT, Reason.NO_RESULT.sentence) from None
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, fault['loc']))[:100]}: {fault['msg']}" for fault in error.errors()[:10])
        raise _Unusable(Reason.RESULT_INVALID, f"{Reason.RESULT_INVALID.sentence} {'; '.join(faults)}") from error
    except ValueError as error:
        raise _Unusable(Reason.RESULT_INVALID, f"{Reason.RESULT_INVALID.sentence} {error}") from error


def _check_owner(task: Task, attempt: int, result: JobResult) -> None:
    if not result.artifacts:
        raise _Unusable(Reason.RESULT_INVALID, "the result names no file")
    for artifact in result.artifacts:
        # Any attempt's: an earlier one may have published before its end was seen.
        own = (artifact_key(task.spec.project_id, task.uid, number, artifact.name) for number in range(1, attempt + 1))
        if artifact.key not in own:
            raise _Unusable(Reason.RESULT_INVALID, f"{artifact.key} is not a file of this task")


async def _verify(store: ArtifactStore, artifact: Artifact) -> None:
    stored = await store.head(artifact.key)
    if stored is None:
        raise _Unusable(Reason.ARTIFACT_MISSING, f"{artifact.key} is not in the store")
    if stored.bytes != artifact.bytes or (stored.sha256 is not None and stored.sha256 != artifact.sha256):
        raise _Unusable(Reason.ARTIFACT_MISMATCH, f"{artifact.key} has another size or digest than the job reported")
    if stored.content_type != artifact.content_type:
        raise _Unusable(
            Reason.ARTIFACT_MISMATCH,
            f"{artifact.key} is {stored.content_type}, not {artifact.content_type} as reported",
        )
