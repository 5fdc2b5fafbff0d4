"""The effect that stores a completed task's result in the Brain: one document per task, whatever breaks off.

The Brain gives documents their ids, so that each try looks first for the one of an earlier try: its content holds a
mark of the task, which makes it the nearest of all to itself, and its metadata the task's UID. Data of a workflow has
an id of ours, and is stored again without harm.
"""

from __future__ import annotations

from typing import Any

from mediatask_common.kube import KubeError
from mediatask_common.logging import get_logger

from ...deciding.classes import TaskClass
from ...deciding.observation import Memory, Task
from ...deciding.plan import TellBrain
from ...deciding.reasons import Reason
from ...metrics import Metrics
from ..base import ReadClass, ReadData
from .additions import prompt_of
from .breaker import Breaker
from .passages import documents, identity
from .service import Brain, BrainAway, BrainRefused, Talk

log = get_logger(__name__)

_NEAREST = 20
"""Documents among which one's own is looked for."""
_PROMPT_LIMIT = 8192


class RememberResult:
    """The effect that tries once; when and how often is decided elsewhere."""

    name = "brain-memory"

    def __init__(
        self, brain: Brain, breaker: Breaker, data: ReadData, of_class: ReadClass, seconds: float, metrics: Metrics
    ) -> None:
        """The effect.

        Args:
            seconds: for one try.
        """
        self._brain = brain
        self._breaker = breaker
        self._data = data
        self._class = of_class
        self._seconds = seconds
        self._metrics = metrics

    def lane(self, task: Task) -> str:
        """The project: one with many results does not hold up the others."""
        return task.spec.project_id

    async def run(self, task: Task, action: TellBrain) -> Memory | None:
        """Try once. Every outcome is a Memory; None where the status has it already."""
        state = task.status.memory
        if state is None or task.status.result is None or state.stored_at or state.attempts >= action.number:
            return None
        outcome = await self._try(task, action.number)
        self._metrics.brain_results.labels("stored" if outcome.stored else "failed").inc()
        log.info("brain told", task=task.name, number=action.number, stored=outcome.stored, error=outcome.error)
        return outcome

    def failed(self, action: TellBrain, error: Exception) -> Memory:
        return Memory(action.number, error=f"internal error: {type(error).__name__}")

    async def _try(self, task: Task, number: int) -> Memory:
        try:
            with self._breaker.conversation():
                prompt = prompt_of(task.spec.task_type, await self._data(task))[:_PROMPT_LIMIT]
                document = await self._brain.converse(lambda talk: self._store(talk, task, prompt), self._seconds)
        except KubeError as error:
            return Memory(number, error=f"the task's data cannot be read: {error.status}")
        except BrainAway as error:
            return Memory(number, error=str(error), retry_after=error.retry_after)
        except BrainRefused as error:
            return Memory(number, reason=Reason.BRAIN_REFUSED, error=str(error), permanent=True)
        return Memory(number, stored=True, document_id=document or None)

    async def _store(self, talk: Talk, task: Task, prompt: str) -> str:
        """Store what the class wants; the document's id where there is one."""
        wanted = self._wanted(task)
        facts, project = _facts(task), task.spec.project_id
        document = ""
        if "Document" in wanted:
            content = f"{prompt or task.spec.task_type}\n[mediatask {task.uid}]"
            document = await self._earlier(talk, content, task)
            if not document:
                answer = await talk.store_document(content, facts, project)
                document = next((identity(one) for one in documents(answer)), "")
        if "Workflow" in wanted:
            await talk.store_workflow(f"mediatask-{task.uid}", {"prompt": prompt, **facts}, project)
        return document

    def _wanted(self, task: Task) -> list[str]:
        """What the class wants now; a document where it says nothing any more."""
        found = self._class(task)
        brain = found.spec.brain if isinstance(found, TaskClass) else None
        return list(brain.remember) if brain is not None else ["Document"]

    async def _earlier(self, talk: Talk, content: str, task: Task) -> str:
        """The id of the document that an earlier try has stored."""
        answer = await talk.similar(content, "mediatask", task.spec.project_id, _NEAREST)
        for found in documents(answer):
            metadata = found.get("metadata")
            if isinstance(metadata, dict) and metadata.get("task_uid") == task.uid:
                return identity(found) or "stored"
        return ""


def _facts(task: Task) -> dict[str, Any]:
    """What is kept of a result beside the prompt."""
    result = task.status.result
    assert result is not None
    media = result.artifacts[0]
    known = {
        "task_id": task.name,
        "task_uid": task.uid,
        "project_id": task.spec.project_id,
        "task_type": task.spec.task_type,
        "class_name": task.status.class_name,
        "tags": task.spec.tags,
        "media_key": media.key,
        "media_sha256": media.sha256,
        "content_type": media.content_type,
        "seed": result.metadata.get("seed"),
        "payload_media_id": result.payload_media_id,
        "completed_at": task.status.completed_at,
        "source": "mediatask",
    }
    return {name: value for name, value in known.items() if value is not None}
