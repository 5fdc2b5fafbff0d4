"""The effect that asks the Brain what it adds to a task's data.

What comes of it is created once in the artifact store, under the task's own keys: whoever kills the operator between
the question and the status finds it there at the next try, and nobody is asked again.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from mediatask_common.kube import KubeError
from mediatask_common.logging import get_logger
from mediatask_common.moderation import RuleBook
from mediatask_common.store import ArtifactStore, context_key
from mediatask_crds.brain import BrainQuestion, ClassBrain, ContextAddition

from ...deciding.classes import NoClass
from ...deciding.context import questions
from ...deciding.observation import Context, Task
from ...deciding.plan import AskBrain
from ...deciding.reasons import Reason
from ...metrics import Metrics
from ..base import ReadClass, ReadData
from ..templates import Template
from .additions import Additions, Unusable
from .breaker import Breaker
from .passages import Found, Passage, passages
from .service import Brain, BrainAway, BrainRefused, Talk

log = get_logger(__name__)

OBJECT_LIMIT = 4 * 1024**2
"""Bytes of the data with its additions; the API server takes no larger data either."""


class AskTheBrain:
    """The effect that tries once; when, how often and what a failure means is decided elsewhere."""

    name = "brain"

    def __init__(
        self,
        brain: Brain,
        store: ArtifactStore,
        data: ReadData,
        of_class: ReadClass,
        metrics: Metrics,
        rules: Callable[[], RuleBook] | None = None,
    ) -> None:
        """`rules` tells the rules as they are now: requests have passed them before the Brain was asked."""
        self._brain = brain
        self._breakers: dict[str, Breaker] = {}
        """By class: what one asks may take too long, and others' questions not."""
        self._store = store
        self._data = data
        self._class = of_class
        self._metrics = metrics
        self._rules = rules

    def lane(self, task: Task) -> str:
        """The project: one whose questions take long does not hold up the others."""
        return task.spec.project_id

    async def run(self, task: Task, action: AskBrain) -> Context | None:
        """Try once. Every outcome is a Context; None where the status has it already, or nobody asks any more."""
        state, task_class = task.status.context, self._class(task)
        if state is None or state.decided_at or state.attempts >= action.number:
            return None
        if isinstance(task_class, NoClass) or task_class.spec.brain is None:
            return None
        outcome = await self._try(task, task_class.name, task_class.spec.brain, action.number)
        told = "failed" if not outcome.settled else "added" if outcome.key else "nothing"
        self._metrics.brain_questions.labels(told).inc()
        log.info("brain asked", task=task.name, number=action.number, outcome=told, error=outcome.error)
        return outcome

    def failed(self, action: AskBrain, error: Exception) -> Context:
        return Context(action.number, error=f"internal error: {type(error).__name__}")

    async def _try(self, task: Task, name: str, asked: ClassBrain, number: int) -> Context:
        key = context_key(task.spec.project_id, task.uid)
        try:
            known = await self._kept(key)
            if known is None:
                content = await self._enriched(task, name, asked)
                if content is None:
                    return Context(number, settled=True)
                if isinstance(content, str):
                    return Context(number, settled=True, error=content)
                await self._store.create(key, content, "application/json")
                known = await self._kept(key)  # another try may have been first
        except BrainAway as error:
            return Context(number, error=str(error), retry_after=error.retry_after)
        except BrainRefused as error:
            return Context(number, reason=Reason.BRAIN_REFUSED, error=str(error), permanent=True)
        except (Unusable, ValueError) as error:
            return Context(number, reason=Reason.CONTEXT_UNUSABLE, error=str(error)[:300], permanent=True)
        except KubeError as error:
            return Context(number, reason=Reason.CONTEXT_UNKEPT, error=f"the task cannot be read: {error.status}")
        except OSError as error:
            return Context(number, reason=Reason.CONTEXT_UNKEPT, error=str(error)[:300])
        assert known is not None
        digest, added, told = known
        return Context(number, settled=True, key=key, sha256=digest, added=added, error=told)

    async def _kept(self, key: str) -> tuple[str, tuple[ContextAddition, ...], str] | None:
        """What an earlier try has kept: its digest, the additions in it, and what was told of them."""
        try:
            content = await self._store.read(key, limit=OBJECT_LIMIT)
        except FileNotFoundError:
            return None
        kept = orjson.loads(content)
        added = tuple(ContextAddition.from_stored(one) for one in kept["added"])
        return hashlib.sha256(content).hexdigest(), added, kept["told"]

    async def _enriched(self, task: Task, name: str, asked: ClassBrain) -> bytes | str | None:
        """The object that is kept; only what there is to tell, or nothing, where nothing is added."""
        data = await self._data(task)
        additions = Additions(task.spec.task_type, dict(data))
        wanted = questions(asked, task.spec.task_type)
        answers = await self._answers(task, name, data, wanted, asked.timeout_seconds)
        allowed = [await self._allowed(found.passages, task.spec.project_id, name) for found in answers]
        for (place, question), passages_ in zip(wanted, allowed, strict=True):
            additions.add(place, question, passages_)
        told = _left_out(
            sum(found.foreign for found in answers),
            sum(len(found.passages) - len(left) for found, left in zip(answers, allowed, strict=True)),
        )
        if not additions.added:
            return told or None
        additions.check()
        added = [one.model_dump(by_alias=True, exclude_none=True) for one in additions.added]
        return orjson.dumps({"version": 1, "data": additions.data, "added": added, "told": told})

    async def _allowed(self, found: Sequence[Passage], project: str, class_name: str) -> list[Passage]:
        """Those to which the rules would not object in a request."""
        if self._rules is None:
            return list(found)
        book = self._rules()

        def judge() -> list[Passage]:
            return [one for one in found if book.judge([one.text], project, class_name).decision == "allow"]

        return await asyncio.to_thread(judge)

    async def _answers(
        self, task: Task, name: str, data: dict[str, Any], wanted: list[tuple[int, BrainQuestion]], seconds: float
    ) -> list[Found]:
        with self._breakers.setdefault(name, Breaker()).conversation():
            asks = [_Ask(task, data, place, question) for place, question in wanted]

            async def ask(talk: Talk) -> list[Found]:
                return [await one.answer(talk) for one in asks]

            return await self._brain.converse(ask, seconds)


def _left_out(foreign: int, refused: int) -> str:
    """What people are told of passages that were not used."""
    numbers = ((foreign, "of other projects"), (refused, "that the rules of moderation do not allow"))
    parts = [f"{number} {what}" for number, what in numbers if number]
    return f"Passages that were left out: {', '.join(parts)}." if parts else ""


class _Ask:
    """A question about a task."""

    def __init__(self, task: Task, data: dict[str, Any], place: int, question: BrainQuestion) -> None:
        """Raises Unusable for one that the task's class words wrongly."""
        self._project = task.spec.project_id
        self._question = question
        self._text = Additions(task.spec.task_type, data).prompt(question)
        self._nodes = _nodes(task, data, place, question)

    async def answer(self, talk: Talk) -> Found:
        """What the Brain has to say that is the project's own. Raises BrainAway, BrainRefused."""
        question, project = self._question, self._project
        answers: list[Any] = []
        match question.ask:
            case "Similar":
                if self._text:
                    answers.append(await talk.similar(self._text, question.context_type, project, question.limit))
            case "Graph":
                answers.append(await talk.graph(question.query, project))
            case "Neighbors":
                for node in self._nodes:
                    answers.append(await talk.neighbors(node, project))
        score = question.min_score if question.ask == "Similar" else 0.0
        found = [passages(answer, project, question.limit, score) for answer in answers]
        taken = tuple(one for part in found for one in part.passages)[: question.limit]
        return Found(taken, sum(part.foreign for part in found))


def _nodes(task: Task, data: dict[str, Any], place: int, question: BrainQuestion) -> list[str]:
    """The ids that are asked for; one whose template has no value is left out."""
    spec = task.spec
    known = {
        "task_id": task.name,
        "project_id": spec.project_id,
        "task_type": spec.task_type,
        "tags": spec.tags,
        "metadata": spec.metadata,
        "task_data": data,
    }
    try:
        nodes = [Template(text).filled(known) for text in question.nodes]
    except ValueError as error:
        raise Unusable(f"question {place}: {error}") from error
    return [node[:256] for node in nodes if node]
