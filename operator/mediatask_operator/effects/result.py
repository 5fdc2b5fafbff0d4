"""The proof of a result: what a job has published, checked against the store.

A job pod is a stranger: what it says is believed only where the store bears it out, and only about files of its
own task.
"""

from __future__ import annotations

import asyncio

import orjson
from pydantic import ValidationError

from mediatask_common.store import ArtifactStore, result_key
from mediatask_crds.podcontract import Artifact, JobResult, ResultReport

from ..deciding.attempts import Ended
from ..deciding.observation import NotPublished, Proof, Proved, Published, StoreAway, Task
from ..deciding.plan import ReadResult
from ..deciding.reasons import Reason

MOST_ARTIFACTS = 64
METADATA_LIMIT = 256 * 1024
"""Bytes of metadata that go into a status; larger results belong into an artifact."""


class ProveResult:
    """The effect that asks the store what an attempt has published."""

    name = "result"

    def __init__(self, store: ArtifactStore) -> None:
        self._store = store

    async def run(self, task: Task, action: ReadResult) -> Proved:
        return Proved(action.attempt, await prove(self._store, task, action.ended))


async def prove(store: ArtifactStore, task: Task, ended: Ended) -> Proof:
    """What the attempt has published, if anything.

    The termination message is taken where it holds the result; else the store is asked for the task's published
    result, whichever pod or attempt has published it. That is asked for attempts that failed, too: a pod may have
    been lost after it had published.
    """
    try:
        found = await _find(store, task, ended)
        if isinstance(found, NotPublished):
            return found
        return await _verify(store, task, found)
    except OSError as error:
        return StoreAway(f"the artifact store cannot be reached: {error}")


async def _find(store: ArtifactStore, task: Task, ended: Ended) -> JobResult | NotPublished:
    if ended.success and ended.said is not None and ended.said.result is not None:
        return ended.said.result
    try:
        content = await store.read(result_key(task.spec.project_id, task.uid))
        return ResultReport.model_validate(orjson.loads(content)).result
    except FileNotFoundError:
        return NotPublished(Reason.NO_RESULT, Reason.NO_RESULT.sentence)
    except (ValidationError, ValueError) as error:
        return NotPublished(Reason.RESULT_INVALID, f"{Reason.RESULT_INVALID.sentence} {error}"[:2000])


async def _verify(store: ArtifactStore, task: Task, result: JobResult) -> Published | NotPublished:
    if not 1 <= len(result.artifacts) <= MOST_ARTIFACTS:
        return NotPublished(Reason.RESULT_INVALID, f"the result names {len(result.artifacts)} files")
    if len(orjson.dumps(result.metadata, default=str)) > METADATA_LIMIT:
        return NotPublished(Reason.RESULT_INVALID, f"the result's metadata is larger than {METADATA_LIMIT} bytes")
    for problem in await asyncio.gather(*(_check(store, task, artifact) for artifact in result.artifacts)):
        if problem is not None:
            return problem
    return Published(result, store.download_url(result.artifacts[0].key))


async def _check(store: ArtifactStore, task: Task, artifact: Artifact) -> NotPublished | None:
    own = f"projects/{task.spec.project_id}/{task.uid}/"
    if not artifact.key.startswith(own) or ".." in artifact.key:
        return NotPublished(Reason.RESULT_INVALID, f"{artifact.key} is not a file of this task")
    stored = await store.head(artifact.key)
    if stored is None:
        return NotPublished(Reason.ARTIFACT_MISSING, f"{artifact.key} is not in the store")
    if stored.bytes != artifact.bytes or (stored.sha256 is not None and stored.sha256 != artifact.sha256):
        return NotPublished(Reason.ARTIFACT_MISMATCH, f"{artifact.key} has another size or digest than reported")
    return None
