"""Where a list goes on: after a task, whatever came or went before it meanwhile. Pure."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from mediatask_common.kube import Object
from mediatask_common.times import parse_time

from ...http.errors import ApiError, invalid_field

MAX_LENGTH = 512


@dataclass(frozen=True, order=True)
class Cursor:
    """The place of a task in lists, which are ordered by it, the greatest first."""

    created: str
    """The task's creation time, as Kubernetes writes it."""
    name: str

    @classmethod
    def of(cls, task: Object) -> Cursor:
        """The place of a task."""
        return cls(task["metadata"]["creationTimestamp"], task["metadata"]["name"])

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """The cursor of an answer. Raises ApiError (400) for anything else."""
        try:
            created, _, name = base64.b64decode(text.encode(), altchars=b"-_", validate=True).decode().partition("/")
            if parse_time(created).utcoffset() is None or not name:
                raise _invalid()
        except (ValueError, binascii.Error) as error:
            raise _invalid() from error
        return cls(created, name)

    def __str__(self) -> str:
        return base64.urlsafe_b64encode(f"{self.created}/{self.name}".encode()).decode()

    @property
    def score(self) -> float:
        """The creation time in seconds, by which Redis sorts."""
        return parse_time(self.created).timestamp()


def _invalid() -> ApiError:
    return invalid_field(["query", "cursor"], "not the `next_cursor` of an answer")
