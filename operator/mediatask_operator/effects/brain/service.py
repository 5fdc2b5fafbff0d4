"""What is asked of a Brain, in whichever protocol it speaks, and how it fails."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

ANSWER_LIMIT = 2 * 1024**2
"""Bytes of all answers of one conversation."""
CONNECT_SECONDS = 10.0
QUOTED = 300
"""Characters of an error of the Brain that are passed on."""


class BrainAway(Exception):
    """No answer, or one that says to try again."""

    def __init__(self, message: str, retry_after: float | None = None, *, answered: bool = False) -> None:
        """A conversation that failed.

        Args:
            retry_after: seconds the Brain asked to be left alone.
            answered: whether it did answer: that one of its tools failed.
        """
        super().__init__(message)
        self.retry_after = retry_after
        self.answered = answered


class BrainRefused(Exception):
    """It will answer so again until somebody changes something."""


class Talk(Protocol):
    """A conversation. Every question is about one project, and every method raises BrainAway or BrainRefused."""

    async def similar(self, text: str, context_type: str, project: str, limit: int) -> Any:
        """The documents that are most like a text."""

    async def graph(self, query: str, project: str) -> Any:
        """The rows of a query."""

    async def neighbors(self, node: str, project: str) -> Any:
        """What is linked to a node."""

    async def store_document(self, content: str, metadata: dict[str, Any], project: str) -> Any:
        """Keep a document; the answer tells its id."""

    async def store_workflow(self, workflow: str, data: dict[str, Any], project: str) -> Any:
        """Keep the data of a workflow; what was kept under this id is replaced."""


class Brain(Protocol):
    """One Brain. Belongs to one event loop."""

    stores: bool
    """Whether it keeps documents."""

    async def converse(self, run: Callable[[Talk], Awaitable[T]], seconds: float) -> T:
        """Ask what `run` asks; all of it has so many seconds.

        Raises:
            BrainAway, BrainRefused: see there; what was to be stored may have been stored nevertheless.
        """

    async def close(self) -> None:
        """End its connections."""
