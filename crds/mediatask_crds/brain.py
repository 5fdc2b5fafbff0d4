"""The Brain, the service that knows a project: what a class asks it before a task, and what a status says of that."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .artifact import Digest, StoreKey
from .base import Resource, Timestamp
from .freeform import NoNul

FieldName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$", max_length=63)]
MOST_SOURCES = 20
"""Passages that one question may bring."""
SOURCE_LIMIT = 128
"""Characters of the id of a document or node."""


class BrainQuestion(Resource):
    """One question, and what becomes of its answer."""

    ask: Literal["Similar", "Graph", "Neighbors"]
    """`Similar`: the project's documents that are most like the task's prompt. `Graph`: the rows of a query.
    `Neighbors`: what is linked to named nodes."""
    task_types: Annotated[list[Annotated[str, Field(max_length=63)]], Field(max_length=32)] = []
    """Task types for which it is asked; all of the class's when empty."""
    text: Annotated[list[FieldName], Field(max_length=8)] = []
    """`Similar`: fields of taskData of which the first that has text is the prompt; those of the task type when
    empty."""
    context_type: Annotated[NoNul, Field(max_length=64)] = "context"
    """`Similar`: the `context_type` that a Brain with the REST form is asked for."""
    query: Annotated[NoNul, Field(max_length=4096)] = ""
    """`Graph`: a Cypher query. Nothing of the task is put into it; the Brain gets the project id beside it."""
    nodes: Annotated[list[Annotated[NoNul, Field(min_length=1, max_length=256)]], Field(max_length=16)] = []
    """`Neighbors`: ids of nodes, also as templates: `character:{metadata.character}`. Those without a value are left
    out."""
    into: Annotated[list[FieldName], Field(max_length=8)] = []
    """Fields of taskData that take the answer: the first that has text, else the first; those of the task type when
    empty."""
    mode: Literal["Append", "Fill"] = "Append"
    """`Append`: after the text of the field. `Fill`: only where none of the fields has text."""
    separator: Annotated[NoNul, Field(max_length=64)] = "\n\n"
    """What stands before an answer that is appended."""
    limit: Annotated[int, Field(ge=1, le=MOST_SOURCES)] = 5
    """Passages that are taken of the answer."""
    min_score: Annotated[float, Field(ge=0, le=1)] = 0
    """`Similar`: passages with a lower score are left out."""
    max_characters: Annotated[int, Field(ge=1, le=8192)] = 2000
    """Characters of all passages together."""


class ClassBrain(Resource):
    """What a class's tasks have to do with the Brain."""

    questions: Annotated[list[BrainQuestion], Field(max_length=8)] = []
    """What is asked before a task's first Job, in this order."""
    failure_policy: Literal["Open", "Closed"] = "Open"
    """While the Brain does not answer: the task goes on without (`Open`), or waits up to its total deadline
    (`Closed`)."""
    timeout_seconds: Annotated[int, Field(ge=1, le=300)] = 15
    """Time for all answers together."""
    remember: Annotated[list[Literal["Document", "Workflow"]], Field(max_length=2)] = ["Document"]
    """What is stored once a task has completed: a document to be found by later questions, data of a workflow."""


class ContextAddition(Resource):
    """An answer that was put into the task's data."""

    question: int
    """Its place among the class's questions, from 0."""
    field: Annotated[str, Field(max_length=63)]
    """Field of taskData that took it."""
    characters: int
    """Length of the text that was added, without the separator."""
    sha256: Digest
    """Digest of that text as UTF-8, hexadecimal."""
    sources: Annotated[list[Annotated[str, Field(max_length=SOURCE_LIMIT)]], Field(max_length=MOST_SOURCES)] = []
    """Ids of the documents and nodes that it was made of."""


class ContextState(Resource):
    """What the Brain has added to the task's data. Every attempt runs with the same."""

    attempts: int = 0
    """Tries to ask so far."""
    next_attempt_at: Timestamp | None = None
    """When the next try is due; absent when there is none."""
    last_error: Annotated[str, Field(max_length=1024)] | None = None
    """Why the last try failed."""
    decided_at: Timestamp | None = None
    """Since when it is settled what the task runs with."""
    key: StoreKey | None = None
    """Where the data with the additions lies in the artifact store; absent where the task runs with its own."""
    sha256: Digest | None = None
    """Digest of that object."""
    added: Annotated[list[ContextAddition], Field(max_length=8)] = []
    """The additions, without their texts."""


class MemoryState(Resource):
    """Storing the result in the Brain."""

    attempts: int = 0
    """Tries so far."""
    next_attempt_at: Timestamp | None = None
    """When the next try is due; absent once the result is stored."""
    last_error: Annotated[str, Field(max_length=1024)] | None = None
    """Why the last try failed."""
    stored_at: Timestamp | None = None
    """When the Brain was known to have it."""
    document_id: Annotated[str, Field(max_length=SOURCE_LIMIT)] | None = None
    """The Brain's id of the document."""
