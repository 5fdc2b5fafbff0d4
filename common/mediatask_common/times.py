"""Timestamps as Kubernetes writes them: RFC 3339, UTC, `Z`."""

from __future__ import annotations

from datetime import UTC, datetime


def utcnow() -> datetime:
    """The current time, with its zone."""
    return datetime.now(UTC)


def rfc3339(moment: datetime, *, micro: bool = False) -> str:
    """`2026-11-21T10:30:00Z`, or with microseconds as metav1.MicroTime has them."""
    text = moment.astimezone(UTC).isoformat(timespec="microseconds" if micro else "seconds")
    return text.replace("+00:00", "Z")


def parse_time(text: str) -> datetime:
    """The moment of an RFC 3339 timestamp.

    Raises:
        ValueError: not a timestamp.
    """
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def seconds_between(start: str | None, end: str | None) -> float | None:
    """Seconds from one timestamp to another; None where either is missing."""
    return (parse_time(end) - parse_time(start)).total_seconds() if start and end else None
