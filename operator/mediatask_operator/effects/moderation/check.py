"""The effect that checks the texts of a request: by the rules, then by the classifier where there is one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pydantic import ValidationError

from mediatask_common.kube import KubeError
from mediatask_common.logging import get_logger
from mediatask_common.moderation import Judgement, RuleBook
from mediatask_crds.tasktypes import UnknownTaskType, task_type, texts

from ...deciding.observation import Moderation, Task
from ...deciding.plan import CheckRequest
from ...metrics import Metrics
from ..base import ReadData
from .classifier import Classifier, ClassifierFailed

log = get_logger(__name__)

THREADS = 2
"""Requests that are read by the rules at a time: it is work for the CPU alone."""


class CheckRequests:
    """Checks once; when, and what follows, is decided elsewhere. A text of a request goes to the classifier alone."""

    name = "moderation"

    def __init__(
        self,
        data: ReadData,
        rules: Callable[[], RuleBook] | None,
        classifier: Classifier | None,
        metrics: Metrics,
    ) -> None:
        """`rules` tells the rules as they are now."""
        self._data = data
        self._rules = rules
        self._classifier = classifier
        self._metrics = metrics
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="moderation")

    def lane(self, task: Task) -> str:
        """The project: many or long requests of one do not hold up those of others."""
        return task.spec.project_id

    async def run(self, task: Task, action: CheckRequest) -> Moderation | None:
        """Check once. Every outcome is a Moderation; None where the status has it already."""
        state = task.status.moderation
        if state is not None and state.attempts >= action.number:
            return None
        try:
            data = await self._data(task)
        except KubeError as error:
            return self._without(action, f"the request cannot be read: {error.status}")
        spoken, composed = _texts(task.spec.task_type, data)
        judgement, digest = Judgement("allow"), None
        if self._rules is not None:
            book = self._rules()
            digest, loop = book.digest, asyncio.get_running_loop()
            judgement = await loop.run_in_executor(
                self._threads, book.judge, (*spoken, composed), task.spec.project_id, action.class_name
            )
        outcome = await self._classified(task, action, spoken, judgement, digest)
        self._metrics.moderated.labels("unanswered" if outcome.error else outcome.decision).inc()
        log.info("moderation", task=task.name, decision=outcome.decision, rules=outcome.rules, error=outcome.error)
        return outcome

    def failed(self, action: CheckRequest, error: Exception) -> Moderation:
        return self._without(action, f"internal error: {type(error).__name__}")

    def _without(self, action: CheckRequest, error: str) -> Moderation:
        # By no version of the rules: even a class that goes on without the classifier is checked again.
        return Moderation(action.number, digest="unchecked" if self._rules is not None else None, error=error)

    async def _classified(
        self, task: Task, action: CheckRequest, spoken: list[str], judgement: Judgement, digest: str | None
    ) -> Moderation:
        decision, score, error, retry_after = judgement.decision, None, "", None
        if self._classifier is not None and decision != "refuse":
            try:
                answer = await self._classifier.ask(task, action.number, action.class_name, spoken)
            except ClassifierFailed as failure:
                error, retry_after = str(failure), failure.retry_after
            else:
                score = answer.score
                decision = max(decision, answer.decision, key=("allow", "hold", "refuse").index)
        by_rules = judgement.rules if decision == judgement.decision else ()
        return Moderation(action.number, decision, by_rules, digest, score, error, retry_after)


def _texts(type_name: str, data: dict[str, Any]) -> tuple[list[str], str]:
    """The texts of a request, and what a model reads that is made of several."""
    try:
        parsed = task_type(type_name).model_validate(data)
    except (UnknownTaskType, ValidationError):  # such a task fails anyway
        return [], ""
    return [text for _, text in texts(parsed)], parsed.composed()
