"""The one error of the client."""

from __future__ import annotations

import contextlib

import orjson


class KubeError(Exception):
    """The API server refused, or could not be reached (`status` 0)."""

    def __init__(self, status: int, reason: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after

    @property
    def not_found(self) -> bool:
        return self.status == 404

    @property
    def conflict(self) -> bool:
        """The object has changed since it was read."""
        return self.status == 409 and self.reason == "Conflict"

    @property
    def already_exists(self) -> bool:
        return self.status == 409 and self.reason == "AlreadyExists"

    @property
    def unavailable(self) -> bool:
        """Nothing wrong with the request: worth trying again later."""
        return self.status == 0 or self.status == 429 or self.status >= 500

    @classmethod
    def answered(cls, status: int, content: bytes, retry_after: str | None = None) -> KubeError:
        """The error of an answer: its Status object where it has one, else the start of its text."""
        reason, message = "Unknown", content[:500].decode(errors="replace")
        with contextlib.suppress(ValueError, AttributeError):
            answer = orjson.loads(content)
            reason, message = answer.get("reason") or reason, answer.get("message") or message
        seconds = float(retry_after) if retry_after and retry_after.isdecimal() and retry_after.isascii() else None
        return cls(status, reason, message, seconds)

    @classmethod
    def broken(cls, what: str) -> KubeError:
        """An answer that is not what the API server would send: cut off, or from something in between."""
        return cls(0, "BrokenAnswer", what)
