"""A task's data with what the Brain has answered. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from mediatask_crds.brain import BrainQuestion, ContextAddition
from mediatask_crds.freeform import NO_NUL
from mediatask_crds.structural import structural
from mediatask_crds.tasktypes import UnknownTaskType, task_type

from .passages import Passage, joined


class Unusable(Exception):
    """What the class asks, or makes of the answers, does not fit the task type."""


@dataclass
class Additions:
    """The data in the making."""

    type_name: str
    data: dict[str, Any]
    added: list[ContextAddition] = field(default_factory=list)

    def prompt(self, question: BrainQuestion) -> str:
        """What the documents are to be like; empty where the task has no such text."""
        return _first_text(self.data, question.text or prompt_fields(self.type_name))

    def add(self, place: int, question: BrainQuestion, found: Sequence[Passage]) -> None:
        """Put an answer where its question wants it, as far as there is room.

        Raises:
            Unusable: the task type has no such field, or one that takes no text.
        """
        fields = question.into or prompt_fields(self.type_name)
        if not fields:
            raise Unusable(f"question {place}: `into` has to name a field of {self.type_name}")
        rooms = {name: _room(self.type_name, name) for name in fields}
        target = next((name for name in fields if self.data.get(name)), fields[0])
        before = self.data.get(target) or ""
        if question.mode == "Fill" and before:
            return
        separator = question.separator if before else ""
        room = min(question.max_characters, rooms[target] - len(before) - len(separator))
        text, sources = joined(found, max(room, 0))
        if not text:
            return
        # Fields that are names of one thing have to go on saying the same.
        same = [name for name in fields if before and self.data.get(name) == before] or [target]
        self.data |= dict.fromkeys(same, before + separator + text)
        digest = hashlib.sha256(text.encode()).hexdigest()
        self.added.append(
            ContextAddition(question=place, field=target, characters=len(text), sha256=digest, sources=sources)
        )

    def check(self) -> None:
        """Raises Unusable where the task type does not take the data any more."""
        try:
            task_type(self.type_name).model_validate(self.data)
        except ValidationError as error:
            faults = (f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()[:5])
            raise Unusable("; ".join(faults)) from error


def prompt_of(type_name: str, data: Mapping[str, Any]) -> str:
    """The text that says what the task makes."""
    return _first_text(data, prompt_fields(type_name))


def prompt_fields(type_name: str) -> Sequence[str]:
    """The task type's own; none for a type that is not installed here."""
    try:
        return task_type(type_name).prompt_fields
    except UnknownTaskType:
        return ()


def _first_text(data: Mapping[str, Any], fields: Sequence[str]) -> str:
    return next((data[name] for name in fields if isinstance(data.get(name), str) and data[name].strip()), "")


def _room(type_name: str, name: str) -> int:
    """Characters that a field takes. Never the address of an input: what the Brain says is not to be fetched."""
    schema = structural(task_type(type_name))["properties"].get(name, {})
    if schema.get("type") != "string" or "enum" in schema or schema.get("pattern", NO_NUL) != NO_NUL:
        raise Unusable(f"{name} is no field of {type_name} that takes a text")
    return int(schema.get("maxLength", 8192))
